import type { Config, Log } from "@soar/app-kit";
import {
  createCommitWatch,
  readArchiverStatus,
  type ArchiverStatistics,
  type ArchiverStatus,
  type CommitEvent,
  type CommitWatch,
} from "@soar/archive/status";
import type { TailRefusal } from "@soar/archive/tail";
import { createPositionHistory, readFinishedSegments } from "@soar/archive/server-wal";
import type { RunningArchiver } from "@soar/archive/daemon";
import type { ConnectionConfig } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import type { daemonOptions } from "../options.ts";
import { watchPositions } from "./watch-positions.ts";
import { createRepositoryWatch } from "./watch-repository.ts";
import { createWalDirectoryWatch } from "./watch-wal-directory.ts";

/** It is looked every second at least. */
const LONGEST_SILENCE_MS = 30_000;

const UNTIL_A_RULE =
  "so the tails of archived segments stay in the bucket until a lifecycle rule removes them: soar-backup-verify lifecycle prints one, soar-backup-verify doctor looks whether there is one.";

const TAILS_STAY: Readonly<Record<TailRefusal, string>> = {
  denied: `This key may not delete, ${UNTIL_A_RULE}`,
  locked: `Retention protects what lies in tail/, ${UNTIL_A_RULE}`,
};

export interface ArchiverWatchOptions {
  readonly archiver: RunningArchiver;
  readonly config: Config<typeof daemonOptions>;
  readonly server: ConnectionConfig;
  readonly statistics: ArchiverStatistics;
  readonly tailLsn: () => bigint | undefined;
  /** Why the tails of archived segments cannot be removed. */
  readonly tailRefusal: () => TailRefusal | undefined;
  readonly onCommits: (event: CommitEvent) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface ArchiverWatch {
  status(): ArchiverStatus;
  /** Whether `archive_status` is looked at; a file system that hangs stops that, although this process runs. */
  isAlive(): boolean;
  /** A base backup or a gap is on its way into the bucket. */
  expectNews(): void;
  readonly commits: Pick<CommitWatch, "note">;
  /** Looks at the server, the disk and the bucket until the signal aborts. */
  readonly running: readonly Promise<void>[];
}

/** Everything that the status of the resident archiver is made of. */
export async function watchArchiver(
  store: ObjectStore,
  { archiver, config, server, statistics, tailLsn, tailRefusal, onCommits, log, signal }: ArchiverWatchOptions,
): Promise<ArchiverWatch> {
  const { cluster, queue } = archiver;
  const { dataDir, tailIntervalMs, synchronous } = config;
  const history = createPositionHistory(await readFinishedSegments(dataDir, cluster.walSegmentSize));
  const commits = createCommitWatch(history, onCommits);
  const wal = createWalDirectoryWatch(dataDir, { oldestPending: () => queue.state.pending[0], signal });
  const repository = createRepositoryWatch(store, {
    log,
    signal,
    onFacts: ({ runs }) => statistics.countBaseBackups(runs),
  });
  const problems = (): string[] => {
    const refusal = tailRefusal();
    return refusal === undefined ? [] : [TAILS_STAY[refusal]];
  };
  return {
    isAlive: () => performance.now() - queue.scannedAt < LONGEST_SILENCE_MS,
    status: () =>
      readArchiverStatus({
        isResident: true,
        cluster,
        queue,
        statistics,
        history,
        oldestPendingAtMs: wal.oldestPendingAtMs,
        tailLsn: tailLsn(),
        tailIntervalMs: tailIntervalMs === "off" ? undefined : tailIntervalMs,
        walDirectory: wal.directory,
        repository: repository.facts,
        problems: problems(),
        commits,
        now: new Date(),
      }),
    expectNews: () => repository.expectNews(),
    commits,
    running: [watchPositions(server, { history, commits, synchronous, log, signal }), wal.run(), repository.run()],
  };
}
