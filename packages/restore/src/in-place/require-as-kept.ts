import { lstat } from "node:fs/promises";
import { join, relative } from "node:path";
import { lstatIfPresent, realPathIfPresent } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { SoarError } from "@soar/errors";
import { tablespaceLinks } from "../fetch/delta/own-tablespaces.ts";
import type { KeptRecord } from "../status/kept-record.ts";

/**
 * Whether what lies where a restore has put an old cluster is that cluster, and no other that somebody has moved or restored there
 * since: a record lies in it, and goes with it wherever that is copied. Rejects with `DIRECTORY_FOREIGN`. What an interrupted
 * removal has taken already is no difference.
 */
export async function requireAsKept({ keptAs, inode, systemIdentifier, moved }: KeptRecord): Promise<void> {
  for (const [path, noted] of [[keptAs, inode] as const, ...moved.map(({ to, inode: its }) => [to, its] as const)])
    if (noted !== undefined && (await lstatIfPresent(path)) !== undefined && (await inodeOf(path)) !== noted)
      throw foreign(path, "it is not the directory that a restore has put aside, but has its name");
  const found = await systemIdentifierOf(keptAs);
  if (found !== undefined && systemIdentifier !== undefined && found !== systemIdentifier)
    throw foreign(
      keptAs,
      `it holds a cluster with system identifier ${found}, and a restore has kept ${systemIdentifier}`,
    );
}

/** By which link the restored cluster uses one of these directories, or something in them, as a fact; undefined where it uses none. */
export async function findUse(dataDir: string, directories: readonly string[]): Promise<string | undefined> {
  const links = ["pg_wal", ...[...(await tablespaceLinks(dataDir))].map(([name]) => join("pg_tblspc", name))];
  for (const link of links) {
    const target = await realPathIfPresent(join(dataDir, link));
    for (const directory of directories) {
      const real = await realPathIfPresent(directory);
      if (target === undefined || real === undefined || !isIn(target, real)) continue;
      return `'${join(dataDir, link)}', which the restored server uses, leads to '${target}'`;
    }
  }
  return undefined;
}

function isIn(path: string, directory: string): boolean {
  const below = relative(directory, path);
  return below !== ".." && !below.startsWith("../");
}

async function inodeOf(path: string): Promise<string> {
  return String((await lstat(path, { bigint: true })).ino);
}

/** With it pg_control of every version begins. */
async function systemIdentifierOf(dataDir: string): Promise<string | undefined> {
  await using file = await openOrdinaryIfPresent(join(dataDir, "global", "pg_control"), { within: { base: dataDir } });
  const bytes = Buffer.alloc(8);
  if (file === undefined || (await file.read(bytes, 0, 8, 0)).bytesRead < 8) return undefined;
  return String(bytes.readBigUInt64LE());
}

function foreign(path: string, fact: string): SoarError {
  return new SoarError("DIRECTORY_FOREIGN", `unable to discard '${path}': ${fact}`, {
    hint: "Look at it yourself, and remove it yourself if nobody needs it. Nothing was removed.",
  });
}
