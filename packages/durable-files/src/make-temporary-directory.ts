import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Within } from "./held-directory.ts";
import { makeDirectory } from "./make-directory.ts";
import type { Owner } from "./owner.ts";
import { unwritable } from "./unwritable.ts";

export interface TemporaryDirectoryOptions {
  /** Whose it is to be; unless said, that of whoever runs this, also in a directory of somebody else. */
  readonly owner?: Owner | undefined;
  readonly within?: Within | undefined;
  readonly hint?: string | undefined;
  /** Told the path before there is a directory, so that it can be noted and one that is left by a killed process be found. */
  readonly beforeMade?: ((path: string) => Promise<void>) | undefined;
}

const ATTEMPTS = 100;

/**
 * Makes an empty directory of a name that nobody can guess, for its owner only: with this prefix, and six characters more.
 * Resolves to its path. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function makeTemporaryDirectory(
  parent: string,
  prefix: string,
  { owner = ourselves(), beforeMade, ...options }: TemporaryDirectoryOptions = {},
): Promise<string> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const path = join(parent, prefix + randomBytes(3).toString("hex"));
    await beforeMade?.(path);
    if (await makeDirectory(path, { ...options, owner, mode: 0o700, sync: "none" })) return path;
  }
  throw unwritable(parent, new Error("every name for a temporary directory is taken"), options);
}

function ourselves(): Owner | undefined {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}
