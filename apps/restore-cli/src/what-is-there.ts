import type { Prepared } from "./prepare.ts";

/** What happens to what lies in the directory. */
export function whatIsThere({ checked, dataDir }: Prepared): string | undefined {
  const { approach } = checked;
  switch (approach.kind) {
    case "fill":
      return undefined;
    case "replace":
      return keptThere(checked, dataDir);
    case "refill":
      if (approach.ownData)
        return "IS OVERWRITTEN: what equals the backup stays, everything else is replaced or removed; only WAL that was not archived is kept";
      return `${approach.earlier?.phase === "at-target" ? "an earlier restore that ended at its target" : "an interrupted restore"}${approach.because === undefined ? "" : `, but ${approach.because}`}: everything is compared with the backup, and what differs is fetched again`;
    case "recover":
      return "an interrupted restore of this plan, unchanged since: the backup is fetched, recovery goes on";
    case "at-target":
      return "an earlier restore of this plan, which ended at the target and shut its server down; nothing was changed since, and recovery goes on from there";
    case "follow":
      return approach.earlier.phase === "at-target"
        ? "an earlier restore of this plan, whose server pauses at the target or was told to go on: its files are looked at, then it is watched, and left as it is while it pauses"
        : "an interrupted restore of this plan, whose server goes on: its files are looked at, then it is watched until it is done";
    case "finish":
      return "an interrupted restore of this plan: recovery is over, its files are looked at, and the server is started with its own settings";
    case "opened":
      return `a restore of this plan that is proved, and whose server was opened to its clients: its data is left alone${approach.isRunning ? "" : ", the server, which does not run, is started"}, and WAL that only this machine has is stored. To restore once more in its place: soar-restore forget --data-dir ${dataDir}, then this command`;
  }
}

type Linked = Pick<Prepared["checked"], "linksThere">;

/** How a cluster that is in the way is kept: not whole where links of it lead to what stays where it is. */
function keptThere({ linksThere }: Linked, dataDir: string): string {
  const place = `${dataDir}.before-restore-<time>`;
  return linksThere.some(({ becomes }) => becomes === "linked" || becomes === "left")
    ? `a cluster, which is kept as ${place}, but for that to which links in it lead`
    : `a cluster, which is kept whole as ${place}`;
}

const SHOWN = 10;

const FATES = {
  kept: "is kept beside it as <name>.before-restore-<time>",
  filled: "is filled again where it is",
  linked: "stays where it is, in no kept copy: the link is there again where nothing of the backup gets its name",
  left: "stays where it is, in no kept copy, and the restored server does not use it",
  nowhere: "is not there",
} as const;

/** What links of the old data lead to, and what becomes of that. */
export function linkRows({ linksThere }: Linked): (readonly [string, string])[] {
  const rows = linksThere
    .slice(0, SHOWN)
    .map(({ path, target, becomes }) => ["linked there", `${path}, to ${target}, which ${FATES[becomes]}`] as const);
  const more = linksThere.length - rows.length;
  return more === 0 ? rows : [...rows, ["linked there", `${more} more, which --json tells`]];
}
