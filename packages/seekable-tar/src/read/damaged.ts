import { hasErrorCode, SoarError } from "@soar/errors";
import type { MemberLocation } from "../table/row.ts";

/** The error of bytes of an object that are not what was recorded. */
export function damagedRange(object: string, offset: number, length: number, fact: string, cause?: unknown): SoarError {
  return new SoarError(
    "ARCHIVE_DAMAGED",
    `unable to read '${object}' from byte ${offset} to ${offset + length - 1}: ${fact}`,
    {
      hint: "Compare the object with what was recorded when it was written, and get an undamaged copy of it.",
      cause,
    },
  );
}

/** Turns a member that cannot be read as itself into damage of its object; other errors stay what they are. */
export function describeDamage(error: unknown, { object, offset, storedLength }: MemberLocation): unknown {
  return hasErrorCode(error, "FORMAT_INVALID")
    ? damagedRange(object, offset, storedLength, error.message, error)
    : error;
}
