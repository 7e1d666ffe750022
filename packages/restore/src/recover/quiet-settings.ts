import { findMajor } from "@soar/pg-tools/majors";
import { formatLibraryList, libraryOf, parseLibraryList } from "@soar/pg-tools/recovery-config";

/**
 * Libraries whose only work is to act on others or to begin jobs. A copy that pauses at its target is a hot standby, which
 * must allow as many workers as its primary, and whoever lets it go on would have these at work before the fence counts.
 */
const JOB_LIBRARIES = new Set([
  "bdr",
  "pg_cron",
  "pg_failover_slots",
  "pg_net",
  "pg_partman_bgw",
  "pg_squeeze",
  "pg_task",
  "pgautofailover",
  "pglogical",
  "spock",
]);

/**
 * What keeps libraries at rest without which their tables cannot be read, so that they are loaded: jobs of TimescaleDB, and what the
 * maintenance of Citus does on the real workers. A server without the library takes names with a dot as they are, and one whose
 * version does not know a name warns of it; both start.
 */
export const JOB_SETTINGS: Readonly<Record<string, string>> = {
  "citus.background_task_queue_interval": "-1",
  "citus.defer_shard_delete_interval": "-1",
  "citus.distributed_deadlock_detection_factor": "-1",
  "citus.enable_metadata_sync": "off",
  "citus.recover_2pc_interval": "-1",
  "timescaledb.max_background_workers": "0",
};

/** `shared_preload_libraries` without those that only begin jobs; undefined when there is none of them. */
export function withoutJobLibraries(setting: string): string | undefined {
  const names = parseLibraryList(setting);
  const rest = names.filter((name) => !JOB_LIBRARIES.has(libraryOf(name)));
  return rest.length === names.length ? undefined : formatLibraryList(rest);
}

/**
 * Settings of a server that was not handed over yet, or never will be: it acts on nobody and nothing happens in it by itself.
 * Event triggers of the source would write into it, or keep us out; subscriptions would take from the publisher what the real
 * subscriber then lacks; workers of libraries would begin jobs.
 *
 * @param options.standby somebody may look in before the end of recovery: a hot standby needs as many workers as its
 *   primary had (safety, trap 37), and starts none for jobs before it is promoted
 */
export function quietSettings(
  postgresMajor: number,
  { standby }: { readonly standby: boolean },
): Record<string, string> {
  const features = findMajor(postgresMajor)?.features;
  return {
    max_logical_replication_workers: "0",
    ...JOB_SETTINGS,
    ...(features?.slotsOfStandbys === true ? { sync_replication_slots: "off", synchronized_standby_slots: "" } : {}),
    ...(standby ? {} : { max_worker_processes: "0" }),
    ...withoutTriggerFile(postgresMajor),
    ...(features?.loginEventTriggers === true ? { event_triggers: "off" } : {}),
  };
}

/** The source's trigger file may be there, on the machine that it shares with a copy: that would end recovery before its target. */
export function withoutTriggerFile(postgresMajor: number): Record<string, string> {
  return findMajor(postgresMajor)?.features.promoteTriggerFile === true ? { promote_trigger_file: "" } : {};
}
