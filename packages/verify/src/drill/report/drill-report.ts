import type { RecoveryWindow } from "@soar/repository/window";

/** What a drill found, for people, for monitoring and for the file of restore tests. All of it is JSON. */
export interface DrillReport extends DrillResult {
  /** SHA-256 of everything else in it: see `sealReport`. */
  readonly digest: string;
}

export type Integrity = "pass" | "fail" | "unread";

export interface DrillResult {
  readonly version: 1;
  readonly kind: "soar-drill-report";
  readonly outcome: "passed" | "failed";
  /** Why it failed, in a sentence. */
  readonly reason?: string | undefined;
  readonly tool: string;
  readonly host: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly repository: { readonly location: string; readonly systemIdentifier: string };
  readonly target: DrillTarget;
  readonly scope: { readonly kind: "cluster" | "database"; readonly database?: string | undefined };
  /** Missing when no plan could be made. */
  readonly tested?: TestedBackup | undefined;
  /** Missing when the server did not get there. */
  readonly reached?: ReachedState | undefined;
  readonly timings: DrillTimings;
  readonly transferred: { readonly backupBytes: number; readonly walBytes: number };
  readonly checks: readonly DrillCheck[];
  /**
   * Whether the restored data is whole: recovery, amcheck, checksums, dumps. `unread`: nothing spoke against it, and neither
   * pg_amcheck nor page checksums could be had to read the tables with.
   */
  readonly integrity: Integrity;
  readonly queries: { readonly passed: number; readonly failed: number };
  /** What went wrong or needs attention, a sentence each. */
  readonly issues: readonly string[];
  /** From the decision to restore until the server took connections. */
  readonly rto?: { readonly seconds: number; readonly of: "cluster" | "database" } | undefined;
  /** What a loss of the server at the beginning of the drill would have cost, at the most. */
  readonly rpo?: { readonly seconds: number; readonly basis: string } | undefined;
  readonly window?: RecoveryWindow | undefined;
}

export interface DrillTarget {
  readonly at: "latest" | "random" | "time";
  /** In words. */
  readonly description: string;
  readonly instant?: string | undefined;
  /** The same seed chooses the same instant of the same window. */
  readonly seed?: number | undefined;
}

export interface TestedBackup {
  readonly label: string;
  readonly kind: "full" | "incremental";
  readonly endedAt: string;
  /** When the drill began. */
  readonly ageSeconds: number;
  readonly databaseBytes: number;
  readonly storedBytes: number;
  readonly timeline: number;
  readonly walFirst: string;
  readonly walLast: string;
  readonly walSegments: number;
}

export interface ReachedState {
  readonly plannedLsn: string;
  readonly lsn: string | undefined;
  readonly timeline: number;
  readonly consistentLsn?: string | undefined;
  /** Of the newest transaction that was replayed, by the plan. */
  readonly newestCommit?: string | undefined;
  /** Of the first transaction that was left out. */
  readonly firstLeftOut?: string | undefined;
}

/** Milliseconds. What did not happen is missing. */
export interface DrillTimings {
  readonly planMs?: number | undefined;
  /** Time in which at least one download of the backup was under way. */
  readonly downloadMs?: number | undefined;
  /** From the first byte of the backup until its last file was in place: it goes on beside the download. */
  readonly extractMs?: number | undefined;
  /** WAL, with its download, until the server took connections. */
  readonly replayMs?: number | undefined;
  /** All of the restore: plan, download, extract, replay. */
  readonly restoreMs?: number | undefined;
  readonly checksMs?: number | undefined;
  readonly totalMs: number;
}

export interface DrillCheck {
  readonly kind:
    | "fence"
    | "consistent-start"
    | "newest-commit"
    | "amcheck"
    | "page-checksums"
    | "schema-dump"
    | "collations"
    | "query"
    | "command";
  /** For people; of a query the name that its file gives it. */
  readonly name: string;
  /** `warning`: nothing is lost, but somebody should look. `skipped`: `detail` says why. */
  readonly outcome: "passed" | "failed" | "warning" | "skipped";
  /** A sentence, without a full stop. */
  readonly detail: string;
  readonly durationMs: number;
  readonly query?:
    | { readonly sql: string; readonly database: string; readonly expected: string; readonly found: string }
    | undefined;
  /** What a program printed, its end where it is long. */
  readonly output?: string | undefined;
}
