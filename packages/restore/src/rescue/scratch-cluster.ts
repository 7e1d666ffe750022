import { findPostgresPrograms } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { ObjectStore } from "@soar/storage";
import type { RestorePlan } from "../plan/plan.ts";
import { countHoles, totalHoles } from "../fetch/count-holes.ts";
import { plainBytesOf } from "./fetch-scope.ts";
import { fateOf, type RescueScope } from "./rescue-scope.ts";
import { createScratchDirectory } from "./scratch-directory.ts";
import { requireScratchRoom } from "./scratch-room.ts";
import type { ScratchOptions, ScratchResult, ScratchWork } from "./scratch-types.ts";
import { startScratch } from "./start-scratch.ts";

/**
 * Fetches a part of the planned backup into a scratch cluster, replays to the target, and hands the server to `use` when
 * nothing speaks against the choice. The cluster is stopped and removed afterwards, whatever happened, and never kept.
 */
export async function withScratchCluster<T>(
  store: ObjectStore,
  plan: RestorePlan,
  options: ScratchOptions,
  work: ScratchWork<T>,
): Promise<ScratchResult<T>> {
  const { binDir } = await findPostgresPrograms({
    major: majorOfVersionNumber(plan.backup.postgresVersion),
    searchPaths: options.binDirs,
    required: ["postgres", "pg_dump", "pg_restore"],
  });
  const directory = await createScratchDirectory(options.tempDir, options.owner);
  try {
    const onChosen = async (scope: RescueScope): Promise<void> => {
      const plainBytes = plainBytesOf(work.table, scope);
      const select = ({ path, type }: { path: string; type: string }): boolean => fateOf(path, type, scope) === "fetch";
      const content = {
        plainBytes,
        countHoles: async () => totalHoles(await countHoles(store, plan.backup, { select, signal: options.signal })),
        isDumped: true,
      };
      await requireScratchRoom(plan, content, options.tempDir);
      options.onEvent?.({ type: "fetching", scope: scope.kind, plainBytes });
    };
    if (work.choice.kind !== "relations-to-choose") await onChosen(work.choice);
    const scratch = await startScratch(store, plan, { ...options, binDir, directory, onChosen }, work);
    if ("doubt" in scratch) return scratch;
    const doubt = await work.verify(scratch);
    return doubt === undefined ? { value: await work.use(scratch) } : { doubt };
  } finally {
    await directory.remove();
  }
}
