import type { BackupRecord } from "@soar/repository";

type Subscriptions = readonly { readonly database: string; readonly name: string }[];

/**
 * What a fenced copy does not do, by name as far as it is known: for the plan from the record of the backup, for the report
 * from what was found in the copy.
 */
export function describeFence(
  { settings, subscriptions: recorded }: Pick<BackupRecord, "settings" | "subscriptions">,
  found?: Subscriptions,
): string {
  const subscriptions = describeSubscriptions(found ?? recorded ?? []);
  const libraries = settings["shared_preload_libraries"] ?? "";
  return [
    "it archives nothing",
    `starts no subscriptions${subscriptions === "" ? "" : ` (${subscriptions})`}`,
    // Which of them have workers is not known.
    `and no workers of libraries${libraries === "" ? "" : `, whichever of these have any (${libraries})`}`,
    "waits for no standby",
    "and has no replication slots",
  ].join(", ");
}

/** `orders in 'soar', stock in 'shop'`. */
export function describeSubscriptions(subscriptions: Subscriptions): string {
  return subscriptions.map(({ database, name }) => `${name} in '${database}'`).join(", ");
}
