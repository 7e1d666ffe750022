import { link } from "node:fs/promises";
import { systemErrorCode } from "./unwritable.ts";

/** Gives a finished file its name; false, and nothing is changed, when something has that name already. */
export async function linkUnlessThere(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}
