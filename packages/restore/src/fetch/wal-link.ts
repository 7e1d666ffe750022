import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  makeDirectory,
  namesIfPresent,
  type Owner,
  readLinkIfPresent,
  realPathIfPresent,
  replaceLink,
  statIfPresent,
} from "@soar/durable-files";
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

/**
 * Rejects with `FILE_UNREADABLE` unless a pg_wal that is a link leads to a directory, outside of the data directory, that can
 * be emptied and filled again. Looks only.
 */
export async function requireLinkedWal(dataDir: string, { kind }: Approach): Promise<void> {
  const link = join(dataDir, "pg_wal");
  if (kind !== "refill" || (await leadsTo(dataDir)) === undefined) return;
  const place = await realPathIfPresent(link);
  const isDirectory = place !== undefined && (await statIfPresent(place))?.isDirectory() === true;
  const isInside = isDirectory && isWithin(place, await realpath(dataDir));
  if (isDirectory && !isInside) return;
  const fact = isInside
    ? "in the data directory itself, where everything else is removed"
    : place === undefined
      ? "where there is nothing"
      : "which is no directory";
  throw new SoarError(
    "FILE_UNREADABLE",
    `unable to fill '${dataDir}' again: its pg_wal is a link to '${await leadsTo(dataDir)}', ${fact}`,
    {
      hint: isInside
        ? `Put the directory in the place of the link: rm '${link}' && mv '${place}' '${link}'. Nothing was changed.`
        : `Mount or make that directory, or remove the link: rm '${link}'. Then WAL lies in the data directory. Nothing was changed.`,
    },
  );
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
