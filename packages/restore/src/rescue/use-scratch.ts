import type { ObjectStore } from "@soar/storage";
import type { RestorePlan } from "../plan/plan.ts";
import { databaseChoices, verifyDatabase } from "./rescue-database.ts";
import { rescueWith, type Rescued } from "./rescue-files.ts";
import type { ScratchCluster, ScratchOptions } from "./scratch-types.ts";

export interface UseScratchOptions<T> extends ScratchOptions {
  /** Fetch this database and the shared catalogs only; everything when undefined. */
  readonly database: string | undefined;
  /** Gets the promoted server. It is stopped and removed afterwards, unless its directory is to be kept. */
  use(scratch: ScratchCluster): Promise<T>;
}

/**
 * Restores into a scratch cluster below the temporary directory, as it was at the planned target, and hands it out: with
 * a port and a socket of its own, settings that are not the source's, no archiving, and all tablespaces below the same
 * directory. WAL that would make recovery write anywhere else is refused with `TARGET_UNREACHABLE`.
 */
export async function useScratchCluster<T>(
  store: ObjectStore,
  plan: RestorePlan,
  options: UseScratchOptions<T>,
): Promise<Rescued<T>> {
  const { database, use } = options;
  return await rescueWith(store, plan, options, {
    database,
    choices: database === undefined ? [{ kind: "cluster" }] : databaseChoices(plan, database),
    verify: async (choice, scratch) =>
      database === undefined ? undefined : await verifyDatabase(choice, scratch, database),
    use,
  });
}
