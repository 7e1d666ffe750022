import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import {
  NOTHING_READ,
  openReadMemory,
  verifyRepository,
  type Depth,
  type VerifyOptions,
  type VerifyReport,
} from "@soar/verify";
import {
  fillSampleRepository,
  putSampleBackup,
  replaceObject,
  SAMPLE_LABEL,
  SAMPLE_TABLESPACE,
  segmentKey,
} from "@soar-tooling/sample-repository";
import { requireBackupRecord } from "@soar/repository";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

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
  return verifyRepository(store, {
    depth: { level: "sample", memory: { ...NOTHING_READ, lastRead }, ...rules },
    jobs: 2,
    host: "h",
    now: () => NOW,
  });
}

describe("an incremental that is read in full", () => {
  beforeEach(async () => {
    // Only the last page of the relation differs.
    await putSampleBackup(store, {
      label: INCREMENTAL,
      first: 7,
      base: await requireBackupRecord(store, SAMPLE_LABEL),
      state: 2,
    });
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
    expect(all.units.existing).toEqual(expect.arrayContaining([...all.units.read]));
    expect(all.units.existing?.filter((name) => !all.units.read.includes(name))).toEqual([`base/${SAMPLE_LABEL}`]);
    expect(all.unreadSince).toBeUndefined();
    // The sample has read every object of both; only headers of the tar are needed again, to be followed.
    const own = await sample({ newest: false, share: 1 });
    expect(all.plainBytes - own.plainBytes).toBeLessThan(RELATION_BYTES);
  });
});

describe("damage that a run has found", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "soar-memory-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  /** A run of the timer, with its memory on disk. */
  async function weekly(share: number, more: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
    const memory = await openReadMemory(directory, "s3://b/p");
    const report = await verifyRepository(store, {
      depth: { level: "sample", newest: false, share, memory },
      jobs: 2,
      host: "h",
      now: () => NOW,
      ...more,
    });
    const { read, damaged, existing } = report.units;
    await memory.remember({
      at: NOW,
      read,
      damaged: new Set(damaged),
      existing: existing === undefined ? undefined : new Set(existing),
    });
    return report;
  }
  const damageIn = ({ findings }: VerifyReport) =>
    findings.flatMap(({ kind, where }) => (kind === "object-damaged" ? [where] : []));
  const flipByte = (at: number) => (bytes: Buffer) => (bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at), bytes);

  test("in an archive is found by every run until the object is whole again, however little is sampled", async () => {
    const whole = await readObject(store, BASE);
    await replaceObject(store, BASE, flipByte(200));
    expect(damageIn(await weekly(1))).toEqual([BASE]);
    for (let run = 0; run < 3; run += 1) expect(damageIn(await weekly(1e-9))).toEqual([BASE]);
    await replaceObject(store, BASE, () => whole);
    expect(damageIn(await weekly(1e-9))).toEqual([]);
    // Known to be whole now: the next run has no reason to read it.
    expect((await weekly(1e-9)).units.read).not.toContain(`${BASE}#0`);
  });

  test("by reading one backup stays known to the runs that only sample, and what they know of the others is kept", async () => {
    await putSampleBackup(store, {
      label: INCREMENTAL,
      first: 7,
      base: await requireBackupRecord(store, SAMPLE_LABEL),
      state: 2,
    });
    expect(damageIn(await weekly(1))).toEqual([]);
    await replaceObject(store, BASE, flipByte(200));
    expect(damageIn(await weekly(1, { labels: [SAMPLE_LABEL], depth: { level: "full" } }))).toEqual([BASE]);
    const after = await weekly(1e-9);
    expect(damageIn(after)).toEqual([BASE]);
    expect(after.unreadSince).toBe(NOW.toISOString());
  });
});
