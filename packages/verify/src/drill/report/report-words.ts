/** Amounts as people read them. */
export function seconds(ms: number): string {
  return duration(ms / 1000);
}

export function duration(totalSeconds: number): string {
  if (totalSeconds < 60) return `${totalSeconds < 10 ? Number(totalSeconds.toFixed(2)) : Math.round(totalSeconds)} s`;
  const minutes = Math.round(totalSeconds / 60);
  if (minutes < 60) return `${Math.floor(totalSeconds / 60)} min ${Math.floor(totalSeconds % 60)} s`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${(totalSeconds / 86_400).toFixed(1)} days`;
}

export function hours(totalSeconds: number): string {
  const value = totalSeconds / 3600;
  return `${value < 0.01 ? value.toFixed(4) : value.toFixed(2)} h`;
}

export function days(totalSeconds: number): string {
  return `${(totalSeconds / 86_400).toFixed(1)} days`;
}

export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** `2026-01-10 14:30:00 UTC` */
export function instant(text: string): string {
  return `${new Date(text).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
