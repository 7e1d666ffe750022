import { chown, mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import type { GapRecord } from "@soar/repository";

export type GapRange = Pick<GapRecord, "from" | "to">;

/** The server's user. */
export interface SpoolOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Names in the spool of gaps that were declared here. They save asking the bucket for every segment, and are never believed by
 * themselves: the bucket's record decides.
 */
export async function putGapMarker(spoolDir: string, { from, to }: GapRange, owner: SpoolOwner): Promise<void> {
  const directory = join(spoolDir, "gaps");
  const temporary = join(directory, `.${process.pid}`);
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(temporary, "", { mode: 0o600 });
    await rename(temporary, join(directory, `${from}-${to}`));
    // Root may run the command; the archive command, which runs as the server's user, has to read what it left.
    if (made !== undefined)
      for (const path of new Set([made, spoolDir, directory])) await chown(path, owner.uid, owner.gid);
    await chown(join(directory, `${from}-${to}`), owner.uid, owner.gid);
  } catch (cause) {
    throw new SoarError(
      "FILE_UNWRITABLE",
      `unable to write into '${directory}': ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
        hint: "The spool has to belong to the server's user, who runs this command. The gap is declared in the bucket; give the same command again to make it known to archive_command.",
      },
    );
  }
}

/** The ranges of this spool that a segment lies in. A spool that this user cannot read gives nothing up. */
export async function findMarkedGaps(spoolDir: string, name: string): Promise<GapRange[]> {
  const ranges: GapRange[] = [];
  for (const file of await readdir(join(spoolDir, "gaps")).catch(noneOf)) {
    const [, from, to] = /^([0-9A-F]{24})-([0-9A-F]{24})$/.exec(file) ?? [];
    if (from !== undefined && to !== undefined && from <= name && name <= to) ranges.push({ from, to });
  }
  return ranges;
}

function noneOf(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT" || error.code === "EACCES" || error.code === "ENOTDIR") return [];
  throw error;
}
