import { stat } from "node:fs/promises";
import { unreadable } from "./unwritable.ts";

/** A user and a group of this machine. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whose a directory is; links are followed. Rejects with `FILE_UNREADABLE`. */
export async function ownerOf(directory: string): Promise<Owner> {
  try {
    const { uid, gid } = await stat(directory);
    return { uid, gid };
  } catch (cause) {
    throw unreadable(directory, cause);
  }
}

/** Whether this process may write everywhere and give files away. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
