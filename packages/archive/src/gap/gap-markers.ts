import { join } from "node:path";
import { makeDirectory, namesIfPresent, type Owner, replaceFile, systemErrorCode } from "@soar/durable-files";
import { messageOf, SoarError } from "@soar/errors";
import type { GapRecord } from "@soar/repository/markers";

export type GapRange = Pick<GapRecord, "from" | "to">;

/**
 * Names in the spool of gaps that were declared here. They save asking the bucket for every segment, and are never believed by
 * themselves: the bucket's record decides. Root may run the command; the archive command, which runs as `owner`, the server's
 * user, has to read what it left.
 */
export async function putGapMarker(spoolDir: string, { from, to }: GapRange, owner: Owner): Promise<void> {
  const directory = join(spoolDir, "gaps");
  // Without it the archive command is stuck again after a crash, until somebody remembers the gap.
  const sync = "directory";
  try {
    await makeDirectory(spoolDir, { mode: 0o700, owner, sync });
    const within = { base: spoolDir };
    await makeDirectory(directory, { mode: 0o700, owner, sync, within });
    await replaceFile(join(directory, `${from}-${to}`), "", { mode: 0o600, owner, sync, within });
  } catch (cause) {
    throw new SoarError("FILE_UNWRITABLE", `unable to write into '${directory}': ${messageOf(cause)}`, {
      cause,
      hint: "The spool has to belong to the server's user, who runs this command. The gap is declared in the bucket; give the same command again to make it known to archive_command.",
    });
  }
}

/** The ranges of this spool that a segment lies in. A spool that this user cannot read gives nothing up. */
export async function findMarkedGaps(spoolDir: string, name: string): Promise<GapRange[]> {
  const ranges: GapRange[] = [];
  for (const file of await markersIn(join(spoolDir, "gaps"))) {
    const [, from, to] = /^([0-9A-F]{24})-([0-9A-F]{24})$/.exec(file) ?? [];
    if (from !== undefined && to !== undefined && from <= name && name <= to) ranges.push({ from, to });
  }
  return ranges;
}

async function markersIn(directory: string): Promise<string[]> {
  try {
    return (await namesIfPresent(directory)) ?? [];
  } catch (error) {
    if (systemErrorCode(error) === "EACCES") return [];
    throw error;
  }
}
