import { SoarError } from "@soar/errors";
import type { ByteRange } from "./object-store.ts";

/** A range with both ends known. */
export interface ResolvedRange {
  readonly offset: number;
  readonly length: number;
}

/** Rejects a range that is a programming error (negative or fractional numbers) with a RangeError. */
export function requireByteRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const numbers = "suffix" in range ? [range.suffix] : [range.offset, range.length ?? 0];
  if (numbers.every((value) => Number.isSafeInteger(value) && value >= 0)) return;
  throw new RangeError(`a byte range takes whole numbers from 0 on, not ${JSON.stringify(range)}`);
}

/**
 * Applies a range to an object of `size` bytes the way HTTP does: a suffix longer than the object gives all of it, an
 * end behind the object's end is cut. Throws `STORE_PROTOCOL` when the range starts behind the end; an offset equal to
 * the size does so too (HTTP answers 416 to it), except for offset 0 of an empty object.
 */
export function resolveByteRange(range: ByteRange | undefined, size: number, name: string): ResolvedRange {
  requireByteRange(range);
  if (range === undefined) return { offset: 0, length: size };
  if ("suffix" in range) {
    const length = Math.min(range.suffix, size);
    return { offset: size - length, length };
  }
  if (range.offset > 0 && range.offset >= size) throw rangeBehindEnd(name, range.offset, size);
  return { offset: range.offset, length: Math.min(range.length ?? Infinity, size - range.offset) };
}

/** The failure of asking for bytes that an object does not have. */
export function rangeBehindEnd(name: string, offset: number, size: number): SoarError {
  return new SoarError(
    "STORE_PROTOCOL",
    `unable to read '${name}': byte ${offset} was asked for, but it ends at byte ${size}`,
    {
      hint: "The object is shorter than what was recorded about it; verify the repository.",
    },
  );
}
