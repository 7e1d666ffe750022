import { readTextIfPresent } from "@soar/durable-files";
import { type AskOptions, askSetting, type ChangedSetting } from "./refused-settings.ts";

/** `free`: those that nobody has taken yet; `all`: those that a running server has taken, too. */
export type HugePages = "free" | "all";

/** As where nothing is said of them. */
const WITHOUT: ChangedSetting = { name: "huge_pages", value: "on", now: "try" };

/**
 * Whether a server that demands huge pages would not get them on this host: then it goes without, as it does where
 * nothing is said of them. Undefined where they are there, or are not demanded. Only while no server runs there.
 *
 * @param onUnknown called where there are some, and the server does not tell how many it needs: it wants its pg_control for that
 */
export async function lackedHugePages(
  options: AskOptions,
  pages: HugePages,
  onUnknown?: () => void,
): Promise<ChangedSetting | undefined> {
  if ((await askSetting(options, "huge_pages")) !== "on") return undefined;
  // It needs the preloaded libraries for this; without them at least one page is needed.
  const needed = await askSetting(options, "shared_memory_size_in_huge_pages");
  const name = pages === "free" ? "free_hugepages" : "nr_hugepages";
  const free = await countPages(name, Number((await askSetting(options, "huge_page_size")) ?? 0));
  if (free < Number(needed ?? 1)) return WITHOUT;
  if (needed === undefined) onUnknown?.();
  return undefined;
}

/** @param size in KiB; 0 is the system's own */
async function countPages(which: "free_hugepages" | "nr_hugepages", size: number): Promise<number> {
  const usual = /^Hugepagesize: +(\d+) kB$/m.exec((await readTextIfPresent("/proc/meminfo")) ?? "")?.[1];
  const directory = `/sys/kernel/mm/hugepages/hugepages-${size === 0 ? usual : size}kB`;
  return Number((await readTextIfPresent(`${directory}/${which}`)) ?? 0);
}
