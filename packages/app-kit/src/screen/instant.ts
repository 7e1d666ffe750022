import { SoarError } from "@soar/errors";

/** How an instant is written: the parts of a local date and time, and what follows them. */
const INSTANT = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*(\S+)?$/;
const OFFSET = /^([+-])(\d{2})(?::?(\d{2}))?$/;

/**
 * Reads an instant as microseconds since 1970-01-01T00:00:00Z: `2025-01-10 14:30:00`, with `T` or a blank, with up to
 * six decimals, followed by nothing, `Z`, `UTC`, an offset (`+02`, `+0530`, `-04:00`) or an IANA zone
 * (`Europe/Berlin`). Without an offset it is local time in `zone`, by default the machine's.
 *
 * Throws `TARGET_INVALID` for anything else, and for a local time that does not exist or happens twice because clocks
 * are changed. Abbreviations such as CET are refused, as PostgreSQL does for `recovery_target_time`.
 */
export function parseInstant(text: string, options: { readonly zone?: string | undefined } = {}): bigint {
  const match = INSTANT.exec(text.trim());
  if (match === null)
    throw invalid(text, "it is not a date and a time", "Write it as 2025-01-10 14:30:00+00 or 2025-01-10T14:30:00Z.");
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", suffix] = match;
  if (fraction.length > 6)
    throw invalid(text, "it has more than six decimals", "PostgreSQL counts microseconds. Leave the rest out.");
  const localMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  // Date.UTC lets 2025-02-30 and 24:61 run over into the next day or hour.
  if (new Date(localMs).toISOString().slice(0, 19) !== `${year}-${month}-${day}T${hour}:${minute}:${second}`) {
    throw invalid(text, "there is no such date or time", "Write it as 2025-01-10 14:30:00+00 or 2025-01-10T14:30:00Z.");
  }
  if (Number(year) < 1970) throw invalid(text, "it lies before 1970", "Check the year.");
  const utcMs = localMs - offsetMsFor(text, localMs, { suffix, zone: options.zone });
  return BigInt(utcMs) * 1000n + BigInt(fraction.padEnd(6, "0"));
}

/** `2026-01-10T02:00:00.123456Z`; the decimals only as far as they say something. */
export function formatInstant(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19);
  if (fraction === 0n) return `${seconds}Z`;
  const digits = String(fraction).padStart(6, "0");
  return `${seconds}.${digits.endsWith("000") ? digits.slice(0, 3) : digits}Z`;
}

/** The machine's IANA zone, from TZ or /etc/localtime. */
export function localZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function offsetMsFor(
  text: string,
  localMs: number,
  from: { readonly suffix: string | undefined; readonly zone: string | undefined },
): number {
  const { suffix } = from;
  if (suffix === undefined) return zoneOffsetMs(text, localMs, from.zone ?? localZone());
  if (/^(?:Z|UTC|GMT)$/i.test(suffix)) return 0;
  const [, sign, hours, minutes = "00"] = OFFSET.exec(suffix) ?? [];
  if (hours !== undefined) {
    // PostgreSQL's own limit for a displacement from UTC is 15:59:59.
    if (Number(hours) > 15 || Number(minutes) > 59)
      throw invalid(text, `'${suffix}' is no offset from UTC`, "Offsets reach from -15:59 to +15:59.");
    return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  }
  if (suffix.includes("/")) return zoneOffsetMs(text, localMs, suffix);
  throw invalid(
    text,
    `'${suffix}' is not an offset`,
    "Write Z, an offset such as +02:00, or a zone such as Europe/Berlin. Abbreviations have several meanings.",
  );
}

/** Offset of a zone at a local time, which may be none (clocks put forward) or two (put back). */
function zoneOffsetMs(text: string, localMs: number, zone: string): number {
  const offsetAt = zoneOffsets(text, zone);
  const dayMs = 86_400_000;
  const [before, after] = [offsetAt(localMs - dayMs), offsetAt(localMs + dayMs)];
  const offsets = [...new Set([before, offsetAt(localMs), after])].filter(
    (offset) => offsetAt(localMs - offset) === offset,
  );
  const [only] = offsets;
  if (only !== undefined && offsets.length === 1) return only;
  const asWritten = new Date(localMs).toISOString().slice(0, 19).replace("T", " ");
  const [first, second] = [before, after].map((offset) => `${asWritten}${formatOffset(offset)}`);
  if (only === undefined) {
    throw invalid(
      text,
      `it does not exist in ${zone}, where clocks are put forward over it`,
      `Give an offset: ${first} is read as the clock before the change, ${second} as the one after.`,
    );
  }
  throw invalid(
    text,
    `it happens twice in ${zone}, where clocks are put back over it`,
    `Write ${first} for the first time or ${second} for the second.`,
  );
}

/** Returns a function from an instant (ms) to the zone's offset (ms). */
function zoneOffsets(text: string, zone: string): (utcMs: number) => number {
  let format: Intl.DateTimeFormat;
  try {
    // Intl also takes EST and the like, whose meaning is not what their users expect all year round.
    if (!zone.includes("/") && !/^(?:UTC|GMT)$/i.test(zone)) throw new RangeError("an abbreviation");
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SoarError(
      "TARGET_INVALID",
      `unable to read '${text}' in the time zone '${zone}': there is no such zone`,
      {
        hint: "Give an offset with the time, or an IANA name such as Europe/Berlin or UTC with --timezone.",
        cause,
      },
    );
  }
  return (utcMs) => {
    const parts = new Map(format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second")) - utcMs;
  };
}

function formatOffset(offsetMs: number): string {
  const minutes = Math.abs(offsetMs) / 60_000;
  const twoDigits = (value: number): string => String(value).padStart(2, "0");
  return `${offsetMs < 0 ? "-" : "+"}${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`;
}

function invalid(text: string, fact: string, hint: string): SoarError {
  return new SoarError("TARGET_INVALID", `unable to read '${text}' as a time: ${fact}`, { hint });
}
