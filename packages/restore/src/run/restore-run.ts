import type { DoubtfulPage } from "../go-on/doubts.ts";
import type { LineageTable } from "../wal/lineage-table.ts";
import type { CheckedRestore, RestoreOptions } from "./restore-options.ts";
import type { RecordKeeper } from "../status/record-keeper.ts";

/** One restore that is being carried out. */
export interface Run extends RestoreOptions, CheckedRestore {
  readonly table: LineageTable;
  readonly stateDir: string;
  readonly planFile: string;
  readonly recoveryLog: string;
  /** A copy, which may not archive into the repository that it comes from. */
  readonly fenced: boolean;
  readonly keeper: RecordKeeper;
  /** Where this run, and no earlier one, has put the old data directory. */
  readonly keptNow: string | undefined;
  /** The newest that any restore has kept of this place: what it was like. */
  readonly oldPlace: string | undefined;
  /** Pages that are looked at once more when no server has them in memory. */
  readonly doubts: readonly DoubtfulPage[];
}
