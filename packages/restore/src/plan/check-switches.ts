import { SoarError } from "@soar/errors";
import { formatHistoryFileName, formatLsn, segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import { createWalScanner, type WalRecord } from "@soar/pg-tools/wal-records";
import { scanChainSegment, type WalChain } from "@soar/repository/chain";
import { walKey } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";

interface Switch {
  /** The timeline that was left, and those of which it had nothing of its own: recovery ended on any of them. */
  readonly parents: readonly number[];
  readonly child: number;
  readonly switchLsn: Lsn;
}

/**
 * Compares a timeline's history with the WAL itself. A history file is stored bare, without a digest, and one wrong digit in it
 * would lead recovery along an abandoned branch without any error. Rejects with `REPOSITORY_DAMAGED`. Switches before the
 * chain, or behind the end of what is archived, are of no consequence to it.
 */
export async function requireSwitches(store: ObjectStore, chain: WalChain, options: CallOptions): Promise<void> {
  const { entries, timeline } = chain.history;
  for (const [index, { timeline: parent, switchLsn }] of entries.entries()) {
    // A server that recovers along a timeline and ends where that one began has read none of its WAL: its history names the
    // timeline, and the record with which it goes on the one before.
    const empty = entries.slice(0, index).filter((entry) => entry.switchLsn === switchLsn);
    const parents = [...empty.map((entry) => entry.timeline), parent];
    const change: Switch = { parents, child: entries[index + 1]?.timeline ?? timeline, switchLsn };
    if ((await findVerdict(store, chain, change, options)) !== "wrong") continue;
    const name = formatHistoryFileName(timeline);
    throw new SoarError(
      "REPOSITORY_DAMAGED",
      `'${store.location}/${walKey(name, "none")}' is damaged: by the WAL itself timeline ${change.child} does not leave timeline ${parent} at ${formatLsn(switchLsn)}`,
      {
        hint: `Restore an older version of the object from the bucket, or archive it again from pg_wal of a server on that timeline: soar-wal-archive pg_wal/${name} ${name}.`,
      },
    );
  }
}

async function findVerdict(
  store: ObjectStore,
  chain: WalChain,
  change: Switch,
  options: CallOptions,
): Promise<"right" | "wrong" | undefined> {
  const from = chain.segments.findIndex(
    ({ index, timeline }) =>
      timeline === change.child && index === segmentIndexOfLsn(change.switchLsn, chain.segmentSize),
  );
  const [first, second] = from < 0 ? [] : chain.segments.slice(from, from + 2);
  if (first === undefined) return undefined;
  const scanner = createWalScanner({ name: first.name, everyRecord: true });
  const judge = new SwitchJudge(change);
  // The switch may lie so near to the end of its segment that what follows it is in the next.
  for (const segment of second === undefined ? [first] : [first, second]) {
    for await (const piece of scanChainSegment(store, segment, chain.segmentSize, options)) {
      for (const record of scanner.push(piece)) judge.see(record);
      if (judge.verdict !== undefined) return judge.verdict;
    }
  }
  for (const record of scanner.finish()) judge.see(record);
  return judge.verdict;
}

/** Where the switch falls on the beginning of a page, the first record begins behind its header. */
const LONGEST_PAGE_HEADER = 40n;
/** rmgrlist.h. What a server writes of its own settings before it says which timeline it began. */
const RM_XLOG = 0;

/**
 * A new timeline begins with a record that names it and the one that it left (StartupXLOG, `PerformRecoveryXLogAction`); only
 * records of the log itself may stand before it.
 */
class SwitchJudge {
  readonly #change: Switch;
  #isBehind = false;
  verdict: "right" | "wrong" | undefined;

  constructor(change: Switch) {
    this.#change = change;
  }

  see(record: WalRecord): void {
    const { parents, child, switchLsn } = this.#change;
    if (this.verdict !== undefined || record.endLsn <= switchLsn) return;
    const isFirst = !this.#isBehind;
    this.#isBehind = true;
    if (isFirst && (record.lsn < switchLsn || record.lsn > switchLsn + LONGEST_PAGE_HEADER)) this.verdict = "wrong";
    else if (record.kind === "checkpoint" || record.kind === "end-of-recovery")
      this.verdict = record.timeline === child && parents.includes(record.previousTimeline) ? "right" : "wrong";
    else if (!isOfTheLog(record)) this.verdict = "wrong";
  }
}

function isOfTheLog(record: WalRecord): boolean {
  return (
    record.kind === "overwrite-contrecord" ||
    record.kind === "parameter-change" ||
    (record.kind === "other" && record.resourceManager === RM_XLOG)
  );
}
