import { SoarError } from "@soar/errors";

/** A position in the write-ahead log: bytes since 0/0 as an unsigned 64-bit number. */
export type Lsn = bigint;

/**
 * Reads PostgreSQL's text form of an LSN, `X/X` with one to eight hexadecimal digits on each side, as `pg_lsn` takes it.
 * Throws FORMAT_INVALID.
 */
export function parseLsn(text: string): Lsn {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) {
    throw new SoarError("FORMAT_INVALID", `unable to read '${text}' as an LSN: it does not have the form 16/B374D848`);
  }
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** The text form for people: capitals, no leading zeros on either side. PostgreSQL takes it, and up to 18 prints it so. */
export function formatLsn(lsn: Lsn): string {
  return formatServerLsn(lsn, { lsnLowDigits: 1 });
}

/** How a server prints an LSN; a `SupportedMajor` says it for each. */
export interface LsnStyle {
  /** Least number of digits after the slash. */
  readonly lsnLowDigits: number;
}

/** The text form that a server prints: `0/28` up to PostgreSQL 18, `0/00000028` from 19 on. */
export function formatServerLsn(lsn: Lsn, { lsnLowDigits }: LsnStyle): string {
  const low = (lsn & 0xffff_ffffn).toString(16).padStart(lsnLowDigits, "0");
  return `${(lsn >> 32n).toString(16)}/${low}`.toUpperCase();
}

/** For sorting: negative, 0 or positive, as `a` lies before, at or after `b`. */
export function compareLsn(a: Lsn, b: Lsn): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
