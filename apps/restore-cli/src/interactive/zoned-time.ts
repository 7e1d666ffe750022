/** `2025-01-10 15:25:00`, as clocks in a time zone show it. */
export function formatInZone(ms: number, zone: string): string {
  // The Swedish way of writing a time is the one of ISO 8601 with a blank.
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(ms);
}

/** The machine's IANA zone. */
export function machineZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
