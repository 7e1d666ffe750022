import { formatSize, wrapText } from "@soar/app-kit";
import type { GapPlan } from "@soar/archive/gap";

/** What giving this WAL up means, in words, before anybody agrees. */
export function describeGapPlan(
  plan: GapPlan,
  { location, startsBackup }: { readonly location: string; readonly startsBackup: boolean },
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
    startsBackup
      ? "A base backup begins at once: until it is complete, nothing behind the gap can be restored."
      : "NO base backup is started (--no-base-backup): until you take one, nothing behind the gap can be restored.",
    "",
    "Better, if you can: give pg_wal more room, move it to a larger volume, or archive to another bucket or prefix (and take a base backup there).",
  ];
  return paragraphs.flatMap((text) => (text.startsWith("  ") || text === "" ? [text] : wrapText(text, 80))).join("\n");
}
