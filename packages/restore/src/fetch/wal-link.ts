import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeDirectory, namesIfPresent, type Owner, readLinkIfPresent, replaceLink } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { inDataDirectory } from "../data-directory.ts";
import type { Approach } from "./delta/approach.ts";

export interface WalLinkOptions {
  readonly dataDir: string;
  /** Absolute path of a directory of its own for WAL: absent or empty. */
  readonly walDir: string | undefined;
}

const PLACE = { hint: "Name another directory with --wal-dir. Nothing was changed." } as const;

/**
 * A base backup holds an empty pg_wal wherever it was a link (safety, trap 23), and nobody but the operator knows where it led
 * to on a machine that is gone. Rejects with `USAGE`, `DIRECTORY_NOT_EMPTY` or `FILE_UNREADABLE` unless it may lead there again. Looks only.
 */
export async function requireWalPlace({ dataDir, walDir }: WalLinkOptions, { kind }: Approach): Promise<void> {
  if (walDir === undefined || (await leadsTo(dataDir)) === walDir) return;
  // One that was interrupted before the link was made may still make it.
  if (kind !== "fill" && existsSync(join(dataDir, "pg_wal")))
    throw new SoarError(
      "USAGE",
      `--wal-dir goes with a restore into an empty directory: in '${dataDir}' pg_wal stays where it is`,
      { hint: "Leave it out. Nothing was changed." },
    );
  if (isWithin(walDir, dataDir) || isWithin(dataDir, walDir))
    throw new SoarError(
      "USAGE",
      `'${walDir}' and '${dataDir}' lie in each other: pg_wal has to be a directory of its own elsewhere`,
      { hint: "Name another directory with --wal-dir. Nothing was changed." },
    );
  const names = await namesIfPresent(walDir, PLACE);
  const example = names?.find((name) => name !== "lost+found");
  if (example !== undefined)
    throw new SoarError(
      "DIRECTORY_NOT_EMPTY",
      `unable to put WAL into '${walDir}': it is not empty and holds '${example}'`,
      { hint: "Name an empty directory with --wal-dir. Nothing was changed." },
    );
  if (names === undefined && (await namesIfPresent(dirname(walDir), PLACE)) === undefined)
    throw new SoarError("FILE_UNREADABLE", `unable to put WAL into '${walDir}': its parent directory does not exist`, {
      hint: "Create it first; a typing error must not make a tree. Nothing was changed.",
    });
}

/** Makes pg_wal of a new data directory a link to there. Does what is left of it when it was interrupted. */
export async function linkWal({ dataDir, walDir }: WalLinkOptions, owner: Owner | undefined): Promise<void> {
  if (walDir === undefined || (await leadsTo(dataDir)) === walDir) return;
  // What is fetched next goes through it, and must be there again after a crash.
  await makeDirectory(walDir, { mode: 0o700, owner, sync: "directory" });
  await replaceLink(join(dataDir, "pg_wal"), walDir, { sync: "directory", within: inDataDirectory(dataDir, owner) });
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

async function leadsTo(dataDir: string): Promise<string | undefined> {
  return await readLinkIfPresent(join(dataDir, "pg_wal"));
}
