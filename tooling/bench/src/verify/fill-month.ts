import { formatWalDescription } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import {
  fillSampleRepository,
  putSampleBackup,
  segmentKey,
  segmentName,
  SEGMENT_SIZE,
  SYSTEM_IDENTIFIER,
} from "@soar-tooling/sample-repository";

const DAY_MS = 86_400_000;

/** 30 days: so many segments and five weekly backups. Only what a quick verification may look at is real. */
export async function fillMonth(store: ObjectStore, segments: number): Promise<void> {
  const label = (weeksAgo: number): string =>
    new Date(Date.now() - (weeksAgo * 7 + 1) * DAY_MS).toISOString().slice(0, 10);
  await fillSampleRepository(store, { label: label(4) });
  const leftover = [...[6, 7, 8].map((index) => segmentKey(index, 2)), "wal/00000002.history"];
  await store.remove(leftover);
  for (const weeksAgo of [3, 2, 1, 0])
    await putSampleBackup(store, { label: label(weeksAgo), first: (4 - weeksAgo) * (segments / 5), state: weeksAgo });
  const data = Buffer.alloc(300, 7);
  const put = async (index: number): Promise<void> => {
    const micros = (Date.now() - ((segments - index) / segments) * 29 * DAY_MS) * 1000;
    const description = formatWalDescription(
      {
        v: 1,
        name: segmentName(index),
        size: SEGMENT_SIZE,
        sha256: "0".repeat(64),
        members: [data.length],
        memberSize: SEGMENT_SIZE,
        sysid: SYSTEM_IDENTIFIER,
        tx: { n: 1, first: micros, last: micros },
      },
      "zstd",
    );
    await store.put(segmentKey(index), Buffer.concat([data, description]));
  };
  for await (const done of mapOrdered(
    Array.from({ length: segments - 6 }, (_, at) => at + 7),
    put,
    { maxItems: 32 },
  ))
    done satisfies void;
}
