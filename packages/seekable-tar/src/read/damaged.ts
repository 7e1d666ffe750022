import { hasErrorCode, SoarError } from "@soar/errors";
import type { MemberLocation } from "../table/row.ts";

/** The error of bytes of an object that are not what was recorded. */
export function damagedRange(object: string, offset: number, length: number, fact: string, cause?: unknown): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `unable to read '${object}' from byte ${offset} to ${offset + length - 1}: ${fact}`,
    {
      hint: "Run a verification of the repository, and restore an earlier version of the object, or use another backup.",
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
