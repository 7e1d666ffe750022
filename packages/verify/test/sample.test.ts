import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { verifyRepository, type Depth, type VerifyReport } from "@soar/verify";
import { fillSampleRepository, putSampleBackup, SAMPLE_LABEL, SAMPLE_TABLESPACE, segmentKey } from "@soar-tooling/sample-repository";
import { requireBackupRecord } from "@soar/repository";
import { beforeEach, describe, expect, test } from "vitest";

const NOW = new Date("2025-01-06T04:00:00Z");
const INCREMENTAL = "2025-01-06";
const TABLESPACE = `base/${SAMPLE_LABEL}/${SAMPLE_TABLESPACE}.tar.gz`;
const BASE = `base/${SAMPLE_LABEL}/backup.tar.gz`;

const RELATION_BYTES = 12 * 8192;

let store: ObjectStore;
beforeEach(async () => {
  store = createMemoryStore({ now: () => new Date("2025-01-06T03:30:00Z") });
  await fillSampleRepository(store);
});

function sample(rules: Omit<Extract<Depth, { level: "sample" }>, "level" | "memory">): Promise<VerifyReport> {
  // A segment that no newer backup needs has waited longest.
  const lastRead = (name: string): number => NOW.getTime() - (name === segmentKey(3) ? 5000 : 1000);
  return verifyRepository(store, { depth: { level: "sample", memory: { lastRead }, ...rules }, jobs: 2, host: "h", now: () => NOW });
}

describe("an incremental that is read in full", () => {
  beforeEach(async () => {
    // Only the last page of the relation differs.
    await putSampleBackup(store, { label: INCREMENTAL, first: 7, base: await requireBackupRecord(store, SAMPLE_LABEL), state: 2 });
  });

  test("makes units of other backups count as read, when it refers to every byte of them, and no others", async () => {
    const { units, unreadSince } = await sample({ newest: true, share: 1e-9 });
    const own = units.read.filter((name) => name.startsWith(`base/${SAMPLE_LABEL}/`));
    expect(own).toEqual([`${TABLESPACE}#0`]);
    expect(units.read).toContain(segmentKey(3));
    expect(units.existing).toEqual(expect.arrayContaining([`${TABLESPACE}#0`, `${BASE}#0`]));
    expect(unreadSince).toBe(new Date(NOW.getTime() - 1000).toISOString());
  });

  test("does not read again what the sample has read", async () => {
    const all = await sample({ newest: true, share: 1 });
    expect(new Set(all.units.read)).toEqual(new Set(all.units.existing));
    expect(all.unreadSince).toBeUndefined();
    // The sample has read every object of both; only headers of the tar are needed again, to be followed.
    const own = await sample({ newest: false, share: 1 });
    expect(all.plainBytes - own.plainBytes).toBeLessThan(RELATION_BYTES);
  });
});
