import { formatSize, wrapText } from "@soar/app-kit";
import type { GapPlan } from "@soar/archive/gap";

/** What becomes of the base backup that is due then. */
const BACKUP = {
  begins: "A base backup begins at once: until it is complete, nothing behind the gap can be restored.",
  "by-hand":
    "A base backup begins at once if you start it: soar-base-backup is not to be found here. Until it is complete, nothing behind the gap can be restored.",
  none: "NO base backup is started (--no-base-backup): until you take one, nothing behind the gap can be restored.",
} as const;

/** What giving this WAL up means, in words, before anybody agrees. */
export function describeGapPlan(
  plan: GapPlan,
  { location, backup }: { readonly location: string; readonly backup: keyof typeof BACKUP },
): string {
  const { from, to, count, missing, waiting, waitingBytes, firstCommit, lastFinished } = plan;
  const inBucket = count - missing.length;
  const commits =
    firstCommit === undefined
      ? ""
      : ` Their first commit is of ${firstCommit}${lastFinished === undefined ? "" : `, the last of them was finished at ${lastFinished}`}.`;
  const paragraphs = [
    `Give up WAL in ${location}:`,
    `  from ${from}`,
    `  to   ${to}`,
    "",
    `${count} segments, of which the bucket lacks ${missing.length}${inBucket === 0 ? "" : ` (${inBucket} are there and stay)`}. ${waiting.length} of these wait in pg_wal, ${formatSize(waitingBytes)}, and would be archived if you did nothing.${commits}`,
    "",
    `What was committed in them is in the running server, and is lost with it: no backup that exists now can be restored to an instant behind ${missing[0]}. The hole stays for ever, and every list, plan and verification names it with you and your reason.`,
    "",
    "As soon as the bucket has the record, archive_command answers success for these segments without archiving them, with a warning for each in the server's log, and PostgreSQL removes them from pg_wal by itself. Nothing else is deleted.",
    "",
    BACKUP[backup],
    "",
    "Better, if you can: give pg_wal more room, move it to a larger volume, or archive to another bucket or prefix (and take a base backup there).",
  ];
  return paragraphs.flatMap((text) => (text.startsWith("  ") || text === "" ? [text] : wrapText(text, 80))).join("\n");
}
