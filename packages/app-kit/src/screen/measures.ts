/** A value that cannot be used, and why. `option-value.ts` adds which option it was given for. */
export class ValueProblem extends Error {
  override readonly name = "ValueProblem";
  readonly hint: string | undefined;

  /** `message` is a fact about the value: `it has no unit`. `hint` is a full sentence. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Units of time in milliseconds. PostgreSQL's spelling: `m` would be minutes to some and months to others. */
const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Reads `500ms`, `1s`, `5min`, `1h30min`, `30d` as milliseconds. Throws a `ValueProblem`. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?) ?([a-z]+) ?/gy)];
  const units = parts.map(([, , unit = ""]) => DURATION_UNITS[unit]);
  if (parts.map(([part]) => part).join("") !== text || parts.length === 0 || units.includes(undefined)) {
    throw new ValueProblem(
      "it is not a duration with a unit",
      "Write a number and one of ms, s, min, h, d, for example 90s or 5min.",
    );
  }
  return Math.round(parts.reduce((sum, [, amount], index) => sum + Number(amount) * (units[index] ?? 0), 0));
}

/** Reads `512B`, `50MB` (millions of bytes), `50MiB` (2^20 bytes) as bytes. Throws a `ValueProblem`. */
export function parseSize(text: string): number {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text) ?? [];
  const factor = SIZE_UNITS[unit];
  if (amount === undefined || factor === undefined) {
    throw new ValueProblem(
      "it is not a size with a unit",
      "Write a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, for example 50MiB.",
    );
  }
  const bytes = Math.round(Number(amount) * factor);
  if (!Number.isSafeInteger(bytes)) throw new ValueProblem("it is too large");
  return bytes;
}

/** `16 MiB`, `1.2 GiB`, `512 B`: three significant digits at most, for people. */
export function formatSize(bytes: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let step = 0;
  while (Math.abs(value) >= 999.5 && step < names.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${formatThreeDigits(value)} ${names[step]}`;
}

/** `120 MiB/s`. An unknown or infinite rate is `-`. */
export function formatRate(bytesPerSecond: number): string {
  return Number.isFinite(bytesPerSecond) ? `${formatSize(bytesPerSecond)}/s` : "-";
}

/** `0.41 s`, `12.3 s`, `3 min 05 s`, `2 h 14 min`, `3 d 04 h`, for people. */
export function formatDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "-";
  if (milliseconds < 59_950) return `${formatThreeDigits(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const twoDigits = (value: number): string => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h`;
}

function formatThreeDigits(value: number): string {
  if (value === 0) return "0";
  const digits = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
