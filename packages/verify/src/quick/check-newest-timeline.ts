import { formatHistoryFileName, toHex8 } from "@soar/pg-tools";
import { TAIL_PREFIX } from "@soar/repository";
import { walKey } from "@soar/repository/wal";
import type { Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

/** After a promotion the history is there at once, and the first segment when it is full. */
const USUAL_WAIT_MS = 86_400_000;

/**
 * The newest timeline is what `--latest` follows. One of which only the history is there is refused, so that somebody should know
 * before a restore is needed.
 */
export function checkNewestTimeline(
  { timelines, inventories, objects }: Pick<Survey, "timelines" | "inventories" | "objects">,
  now: Date,
): Finding[] {
  const newest = timelines.at(-1);
  if (newest === undefined || (inventories.get(newest)?.segments.size ?? 0) > 0) return [];
  const where = walKey(formatHistoryFileName(newest), "none");
  const history = objects.find(({ key }) => key === where);
  const isShipped = objects.some(({ key }) => key.startsWith(`${TAIL_PREFIX}${toHex8(newest)}`));
  if (history === undefined || isShipped || now.getTime() - history.modifiedAt.getTime() < USUAL_WAIT_MS) return [];
  return [
    {
      kind: "history-unused",
      severity: "warning",
      where,
      what: `timeline ${newest} has a history since ${history.modifiedAt.toISOString()}, and no WAL: a restore with --latest is refused`,
      advice:
        "If a server is on this timeline, see why nothing arrives from it: soar-wal-archive status. If none is any more, remove the object; until then restore with --target-timeline.",
    },
  ];
}
