import type { SoarError } from "@soar/errors";
import type { RescueEvent, ScratchOptions, TargetServer } from "@soar/restore/rescue";
import type { RestorePlan } from "@soar/restore/plan";
import type { DrillCheck, DrillReport, DrillTarget } from "./report/drill-report.ts";
import type { SqlCheck } from "./sql/sql-check.ts";

/** Which state is restored. */
export type DrillInstant =
  | { readonly at: "latest" }
  | { readonly at: "random"; readonly seed: number }
  /** Microseconds since 1970 UTC. */
  | { readonly at: "time"; readonly micros: bigint };

export interface DrillOptions extends Omit<ScratchOptions, "onEvent"> {
  readonly instant: DrillInstant;
  /** Restore this database and the shared catalogs only. */
  readonly database: string | undefined;
  readonly sqlChecks: readonly SqlCheck[];
  /** Database that queries and the command look at unless something else is said. */
  readonly defaultDatabase: string;
  /** The server that was backed up, to compare with. */
  readonly production: TargetServer | undefined;
  readonly command:
    | { readonly line: string; readonly env: Readonly<Record<string, string>>; readonly cwd: string }
    | undefined;
  /** Leave the server running for somebody to look around. */
  readonly keep: boolean;
  readonly host: string;
  readonly tool: string;
  readonly now: () => Date;
  readonly onEvent?: (event: DrillEvent) => void;
}

export type DrillEvent =
  | RescueEvent
  | { readonly type: "planned"; readonly plan: RestorePlan; readonly target: DrillTarget }
  /** Expiry does not know of this drill: the key may not write. */
  | { readonly type: "no-lease"; readonly reason: string }
  | { readonly type: "checked"; readonly check: DrillCheck };

export interface DrillOutcome {
  readonly report: DrillReport;
  /** What ended the drill before the checks, with its own code. */
  readonly failure: SoarError | undefined;
  readonly kept: KeptCluster | undefined;
}

/** A scratch server that goes on running. */
export interface KeptCluster {
  readonly directory: string;
  readonly dataDir: string;
  readonly binDir: string;
  readonly socketDir: string;
  readonly port: number;
  readonly user: string;
}
