import { join } from "node:path";
import { lsnOfSegmentIndex, parseLsn } from "@soar/pg-tools";
import { readClusterState, readLiveControlFile } from "@soar/pg-tools/cluster";
import type { ControlFile } from "@soar/pg-tools/control-file";
import type { BackupRecord } from "@soar/repository";
import { isFile } from "../is-file.ts";
import type { BackupSide, PageRules } from "./page-judge.ts";
import { segmentsThere } from "./segments-there.ts";

/** The server of a restore that is gone on with, by what lies in its directory. */
export interface ServerThere {
  readonly rules: PageRules;
  readonly isRunning: boolean;
  /** Whether it has ended without writing what it had in memory. */
  readonly isCrashed: boolean;
  readonly isRecovering: boolean;
  readonly control: ControlFile;
}

export async function readServer(dataDir: string): Promise<ServerThere> {
  const control = await readLiveControlFile(dataDir);
  const { running } = await readClusterState(dataDir);
  return {
    rules: {
      postgresMajor: control.pgMajor,
      blockSize: control.blockSize,
      blocksPerRelationFile: control.blocksPerRelationFile,
      checksums: control.dataChecksumVersion > 0,
      mayBeWritten: running,
    },
    isRunning: running,
    isCrashed: !running && control.state !== "shut-down" && control.state !== "shut-down-in-recovery",
    isRecovering: await isRecovering(dataDir),
    control,
  };
}

/** What is asked anew while files are read, because the server goes on meanwhile. */
export function livePositions(
  dataDir: string,
  { stopLsn }: Pick<BackupRecord, "stopLsn">,
): Pick<BackupSide, "isRecovering" | "endOfWal"> {
  const endOfBackup = parseLsn(stopLsn);
  return { isRecovering: () => isRecovering(dataDir), endOfWal: () => endOfWal(dataDir, endOfBackup) };
}

/** The file goes before the server writes its first WAL (StartupXLOG). */
async function isRecovering(dataDir: string): Promise<boolean> {
  return await isFile(join(dataDir, "recovery.signal"));
}

/**
 * A position that no page on the disk can name a later one than. Before a server that recovers writes a page, it notes in pg_control
 * how far replay came (UpdateMinRecoveryPoint); one in production has written the WAL, to a segment that is kept longer than those before.
 * Pages that were copied late in the backup name positions before its end, also while replay is not there yet.
 */
async function endOfWal(dataDir: string, endOfBackup: bigint): Promise<bigint> {
  const wasRecovering = await isRecovering(dataDir);
  const { minRecoveryLsn, checkpointLsn, walSegmentSize } = await readLiveControlFile(dataDir);
  const noted = latestOf([minRecoveryLsn, checkpointLsn, endOfBackup]);
  if (wasRecovering) return noted;
  const ends = (await segmentsThere(dataDir, walSegmentSize)).map(({ index }) =>
    lsnOfSegmentIndex(index + 1, walSegmentSize),
  );
  return latestOf([noted, ...ends]);
}

function latestOf(positions: readonly bigint[]): bigint {
  return positions.reduce((latest, position) => (position > latest ? position : latest), 0n);
}
