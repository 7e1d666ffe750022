import { SoarError } from "@soar/errors";

/** The error of everything in this package that cannot be read as what it should be. */
export function invalid(what: string, fact: string, options: { cause?: unknown; hint?: string } = {}): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read ${what}: ${fact}`, options);
}
