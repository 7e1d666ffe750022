import { findMajor } from "@soar/pg-tools/majors";

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
  return {
    max_logical_replication_workers: "0",
    ...(standby ? {} : { max_worker_processes: "0" }),
    ...(findMajor(postgresMajor)?.features.loginEventTriggers === true ? { event_triggers: "off" } : {}),
  };
}
