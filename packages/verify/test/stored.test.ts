import { readObject } from "@soar/storage";
import {
  archiveSample,
  putSampleBackup,
  replaceObject as replace,
  SAMPLE_LABEL as LABEL,
  SAMPLE_TABLESPACE as TABLESPACE,
  sampleSegment,
  segmentKey,
  segmentName,
} from "@soar-tooling/sample-repository";
import { requireBackupRecord } from "@soar/repository";
import type { Depth } from "@soar/verify";
import { describe, expect, test } from "vitest";
import { error, flip, FULL, useSampleRepository, warning } from "./sample-repository.fixture.ts";

const STORED: Depth = { level: "stored" };
const INCREMENTAL = "2025-01-06";
const BASE = `base/${LABEL}/backup.tar.gz`;

const { find, repository, verify } = useSampleRepository();

test("reads every stored byte of a healthy repository, and decompresses nothing", async () => {
  const [stored, full] = [await verify({ depth: STORED }), await verify({ depth: FULL })];
  expect(stored).toMatchObject({
    findings: [],
    backups: [{ label: LABEL, read: "stored" }],
    wal: { segments: 8, read: 7 },
    plainBytes: 0,
    readBytes: full.readBytes,
    unreadSince: undefined,
  });
  // What was not opened waits for a sample that opens it.
  expect(stored.units.read).toEqual([]);
});

test.each(["backup.tar.gz", `${TABLESPACE}.tar.gz`])("%s: a flipped bit is found wherever it is", async (name) => {
  const key = `base/${LABEL}/${name}`;
  const { length } = await readObject(repository.store, key);
  for (let at = 0; at < length; at += Math.max(1, Math.floor(length / 40))) {
    await replace(repository.store, key, flip(at));
    expect(await find({ depth: STORED }), `byte ${at} of ${length}`).toEqual([error("object-damaged", key)]);
    await replace(repository.store, key, flip(at));
  }
});

test("damage says which bytes, what they hold, and is remembered for the next sample", async () => {
  await replace(repository.store, BASE, (bytes) => bytes.fill(0, 3000, 3100));
  const { findings, units } = await verify({ depth: STORED });
  expect(findings).toMatchObject([
    {
      what: expect.stringMatching(
        /^bytes \d+ to \d+ are not what was recorded, which hold .*base\/5\/2619: the digest of its stored bytes/,
      ),
    },
  ]);
  expect(units.damaged).toEqual([`${BASE}#0`]);
});

test("an archive that is missing or cut short is told, and the backup does not count as read", async () => {
  await replace(repository.store, BASE, (bytes) => bytes.subarray(1));
  expect(await verify({ depth: STORED })).toMatchObject({
    findings: [{ kind: "object-wrong-size", where: BASE }],
    backups: [{ read: "part" }],
  });
  await repository.store.remove([BASE]);
  expect(await verify({ depth: STORED })).toMatchObject({
    findings: [{ kind: "object-missing", where: BASE }],
    backups: [{ read: "part" }],
  });
});

describe("WAL", () => {
  test("flipped in any part of its object is found", async () => {
    const key = segmentKey(5);
    const { length } = await readObject(repository.store, key);
    for (let at = 0; at < length; at += 97) {
      await replace(repository.store, key, flip(at));
      expect(await find({ depth: STORED }), `byte ${at} of ${length}`).toEqual([error("wal-damaged", key)]);
      await replace(repository.store, key, flip(at));
    }
  });

  test("that describes another segment, or one of another cluster, is told", async () => {
    const [key, other] = [segmentKey(5), await readObject(repository.store, segmentKey(4))];
    await replace(repository.store, key, () => other);
    expect(await find({ depth: STORED })).toEqual([error("wal-damaged", key)]);
    await repository.store.remove([key]);
    await archiveSample(repository.store, segmentName(5), sampleSegment(5), { sysid: "7000000000000000001" });
    expect(await find({ depth: STORED })).toEqual([error("wal-damaged", key)]);
  });

  test("that is stored bare is read in full, because nothing is recorded of it", async () => {
    const key = segmentKey(5);
    await repository.store.remove([key]);
    const bare = key.replace(/\.(?:zst|gz)$/, "");
    await repository.store.put(bare, sampleSegment(5));
    expect((await verify({ depth: STORED })).plainBytes).toBe(sampleSegment(5).length);
    await replace(repository.store, bare, flip(8192 + 100));
    expect(await find({ depth: STORED })).toEqual([error("wal-damaged", bare)]);
  });

  test("stored twice, once compressed and once bare, is compared by what one says and the other holds", async () => {
    const bare = `wal/${segmentName(5)}`;
    await repository.store.put(bare, sampleSegment(5));
    expect(await find({ depth: STORED })).toEqual([warning("wal-duplicate", segmentName(5))]);
    await replace(repository.store, bare, () => sampleSegment(5, { fill: 77 }));
    expect(await find({ depth: STORED })).toEqual([error("wal-duplicate", segmentName(5))]);
  });
});

describe("an incremental", () => {
  test("has every byte of its base compared once, with it or for it", async () => {
    const base = await requireBackupRecord(repository.store, LABEL);
    await putSampleBackup(repository.store, { label: INCREMENTAL, first: 5, base, state: 2 });
    const both = await verify({ depth: STORED });
    expect(both).toMatchObject({ findings: [], backups: [{ read: "stored" }, { read: "stored" }] });
    await replace(repository.store, `base/${LABEL}/${TABLESPACE}.tar.gz`, flip(100));
    const damage = error("object-damaged", `base/${LABEL}/${TABLESPACE}.tar.gz`);
    expect(await find({ depth: STORED })).toEqual([damage]);
    expect(await find({ depth: STORED, labels: [INCREMENTAL] })).toEqual([damage]);
  });

  test("has its base's bytes compared for it where the base's table cannot be read", async () => {
    const base = await requireBackupRecord(repository.store, LABEL);
    await putSampleBackup(repository.store, { label: INCREMENTAL, first: 5, base, state: 2 });
    const healthy = await verify({ depth: STORED });
    await repository.store.remove([`base/${LABEL}/index.zst`]);
    await replace(repository.store, `base/${LABEL}/${TABLESPACE}.tar.gz`, flip(100));
    const { findings, readBytes } = await verify({ depth: STORED });
    expect(findings).toContainEqual(
      expect.objectContaining({ kind: "object-damaged", where: `base/${LABEL}/${TABLESPACE}.tar.gz` }),
    );
    expect(readBytes).toBeLessThanOrEqual(healthy.readBytes);
  });
});
