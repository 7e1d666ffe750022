import { formatLsn, segmentIndexOfLsn, type Lsn, type TimelineHistory } from "@soar/pg-tools";
import { createWalScanner, readWalPageHeader } from "@soar/pg-tools/wal-records";
import { readWalFile, type WalObject } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { isDamage, type Finding } from "../finding.ts";
import { damagedHistory } from "../quick/check-histories.ts";
import type { Survey } from "../survey/survey-repository.ts";

/** Page headers: the long one of a segment's first page, and the short one. */
const HEADER_SIZES = [0, 24, 40];

/**
 * The first record of a timeline begins exactly where its history says that it left its parent: a history with another
 * switch point would lead recovery past commits, or into those of an abandoned branch.
 */
export async function checkSwitchPoints(
  { store, inventories, repository }: Survey,
  histories: readonly TimelineHistory[],
  options: CallOptions & {
    readonly isRead: (object: WalObject) => boolean;
    readonly onDamaged: (unit: string) => void;
  },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { timeline, entries } of histories) {
    const switchLsn = entries.at(-1)?.switchLsn;
    if (switchLsn === undefined) continue;
    const [object] =
      inventories.get(timeline)?.segments.get(segmentIndexOfLsn(switchLsn, repository.walSegmentSize)) ?? [];
    if (
      object === undefined ||
      !options.isRead(object) ||
      (await beginsAt(store, object, { switchLsn, segmentSize: repository.walSegmentSize, ...options }))
    )
      continue;
    options.onDamaged(object.key);
    findings.push(
      damagedHistory(
        timeline,
        `it says that timeline ${timeline} begins at ${formatLsn(switchLsn)}, where no record begins in '${object.name}'`,
      ),
    );
  }
  return findings;
}

async function beginsAt(
  store: ObjectStore,
  object: WalObject,
  { switchLsn, segmentSize, signal }: CallOptions & { readonly switchLsn: Lsn; readonly segmentSize: number },
): Promise<boolean> {
  try {
    const bytes = await readWalFile(store, object, { segmentSize, signal });
    const blockSize = readWalPageHeader(bytes).long?.blockSize ?? 8192;
    const starts = Number(switchLsn % BigInt(blockSize)) === 0 ? HEADER_SIZES : [0];
    const wanted = new Set(starts.map((size) => switchLsn + BigInt(size)));
    const scanner = createWalScanner({ name: object.name, everyRecord: true });
    return [...scanner.push(bytes), ...scanner.finish()].some(({ lsn }) => wanted.has(lsn));
  } catch (error) {
    // A damaged segment was told by the check that reads them all.
    if (!isDamage(error)) throw error;
    return true;
  }
}
