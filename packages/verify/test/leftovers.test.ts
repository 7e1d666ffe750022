import { sha256Hex } from "@soar/repository";
import { listLeases, putLease } from "@soar/repository/markers";
import { putTailPiece } from "@soar/repository/tail";
import { createMemoryStore, readOnly, type ObjectStore } from "@soar/storage";
import { verifyRepository, type Finding, type VerifyEvent, type VerifyOptions } from "@soar/verify";
import {
  fillSampleRepository,
  keysOf,
  putSampleBackup,
  replaceObject,
  SAMPLE_LABEL,
  sampleSegment,
  segmentName,
  SYSTEM_IDENTIFIER,
} from "@soar-tooling/sample-repository";
import { beforeEach, describe, expect, test } from "vitest";

const NOW = new Date("2025-01-06T04:00:00Z");
const DAY_MS = 86_400_000;

let store: ObjectStore;
beforeEach(async () => {
  store = createMemoryStore({ now: () => new Date("2025-01-06T03:30:00Z") });
  await fillSampleRepository(store);
});

async function find(
  options: Partial<VerifyOptions> = {},
  target = store,
): Promise<[Finding["kind"], string, Finding["severity"]][]> {
  const { findings } = await verifyRepository(target, {
    depth: { level: "quick" },
    jobs: 2,
    host: "h",
    now: () => NOW,
    ...options,
  });
  return findings.map(({ kind, where, severity }) => [kind, where, severity]);
}

const later = (days: number): Partial<VerifyOptions> => ({ now: () => new Date(NOW.getTime() + days * DAY_MS) });

describe("ages", () => {
  test("of the newest backup: a warning after 8 days, an error after 10, both counted from its end", async () => {
    const archiveWarningMs = undefined;
    expect(await find({ ...later(6.9), limits: { archiveWarningMs } })).toEqual([]);
    expect(await find({ ...later(7.1), limits: { archiveWarningMs } })).toEqual([["backup-old", "base/", "warning"]]);
    expect(await find({ ...later(9.1), limits: { archiveWarningMs } })).toEqual([["backup-old", "base/", "error"]]);
  });

  test("of the archive: a warning after a day", async () => {
    expect(await find(later(0.9))).toEqual([]);
    expect(await find(later(1.1))).toEqual([["archive-old", "wal/", "warning"]]);
  });
});

describe("the tail", () => {
  const bytes = sampleSegment(9, { timeline: 2 }).subarray(0, 300_000);
  const piece = (from: number, to: number) =>
    putTailPiece(store, {
      segmentName: segmentName(9, 2),
      from,
      bytes: bytes.subarray(from, to),
      sha256: sha256Hex(bytes.subarray(0, to)),
      systemIdentifier: SYSTEM_IDENTIFIER,
    });

  test("that is whole is healthy; with a damaged piece it is an error", async () => {
    await piece(0, 100_000);
    const second = await piece(100_000, 300_000);
    expect(await find()).toEqual([]);
    await replaceObject(store, second.key, (stored) => (stored.writeUInt8(stored.readUInt8(50) ^ 1, 50), stored));
    expect(await find()).toEqual([["tail-damaged", `tail/${segmentName(9, 2)}/`, "error"]]);
  });

  test("of a segment that is archived is a notice", async () => {
    await putTailPiece(store, {
      segmentName: segmentName(8, 2),
      from: 0,
      bytes,
      sha256: sha256Hex(bytes),
      systemIdentifier: SYSTEM_IDENTIFIER,
    });
    expect(await find()).toEqual([["tail-leftover", `tail/${segmentName(8, 2)}/`, "notice"]]);
  });
});

describe("what interrupted runs left", () => {
  test("an upload that nobody completed is a warning after a day, and not while its backup may be running", async () => {
    const upload = await store.beginMultipart(`base/${SAMPLE_LABEL}/16999.tar.gz`, { partSize: 1024 });
    await upload.putPart(1, Buffer.alloc(1024));
    expect(await find(later(0.5))).toEqual([]);
    expect(await find({ ...later(1.5), limits: { archiveWarningMs: undefined } })).toEqual([
      ["upload-unfinished", `base/${SAMPLE_LABEL}/16999.tar.gz`, "warning"],
    ]);
    const small = await store.beginMultipart(`tail/${segmentName(8, 2)}/0`, { partSize: 1024 });
    expect(await find({ ...later(1.5), limits: { archiveWarningMs: undefined } })).toContainEqual([
      "upload-unfinished",
      `tail/${segmentName(8, 2)}/0`,
      "warning",
    ]);
    await small.abort();
    await store.remove([`base/${SAMPLE_LABEL}/backup.json`]);
    expect(await find({ ...later(1.5), limits: { archiveWarningMs: undefined } })).not.toContainEqual(
      expect.arrayContaining(["upload-unfinished"]),
    );
  });

  test("a lease that lapsed long ago is a notice", async () => {
    await putLease(store, {
      format: 1,
      id: "x",
      purpose: "restore",
      host: "h",
      labels: [],
      startedAt: "2025-01-01T00:00:00.000Z",
      expiresAt: "2025-01-02T00:00:00.000Z",
    });
    expect(await find()).toEqual([["lease-lapsed", "config/leases/x.json", "notice"]]);
  });
});

test("leases that others take and give back while it looks are none of its business", async () => {
  const busy: ObjectStore = {
    ...store,
    async *list(prefix, options) {
      yield* store.list(prefix, options);
      if (prefix === "") await store.remove(["config/leases/other.json"]);
    },
  };
  await putLease(store, {
    format: 1,
    id: "other",
    purpose: "verify",
    host: "h",
    labels: [],
    startedAt: "2025-01-06T00:00:00.000Z",
    expiresAt: "2025-01-06T02:00:00.000Z",
  });
  expect(await find({}, busy)).toEqual([]);
});

describe("its own lease", () => {
  test("is there while it reads, covers what it reads, and is given back", async () => {
    const seen: Awaited<ReturnType<typeof listLeases>>[] = [];
    const watched: ObjectStore = {
      ...store,
      async get(key, options) {
        if (key.endsWith("backup.tar.gz")) seen.push(await listLeases(store));
        return store.get(key, options);
      },
    };
    expect(await find({ depth: { level: "full" } }, watched)).toEqual([]);
    expect(seen[0]).toMatchObject([
      {
        purpose: "verify",
        host: "h",
        labels: [SAMPLE_LABEL],
        walFrom: segmentName(3),
        walTo: "F".repeat(24),
        // The machine's clock stands still here; that of a run counts what has passed since it began.
        expiresAt: expect.stringMatching(/^2025-01-06T06:00:[0-5]\d\.\d{3}Z$/) as string,
      },
    ]);
    expect(await listLeases(store)).toEqual([]);
  });

  test("is given back when the run is stopped, and done without where the key may not write", async () => {
    const controller = new AbortController();
    const stopping: ObjectStore = {
      ...store,
      get: (key, options) => (key.endsWith("backup.tar.gz") && controller.abort(), store.get(key, options)),
    };
    await expect(find({ depth: { level: "full" }, signal: controller.signal }, stopping)).rejects.toMatchObject({
      code: "ABORTED",
    });
    expect((await keysOf(store)).filter((key) => key.startsWith("config/leases/"))).toEqual([]);
    const events: VerifyEvent[] = [];
    expect(await find({ onEvent: (event) => events.push(event) }, readOnly(store))).toEqual([]);
    expect(events).toMatchObject([{ type: "no-lease", reason: expect.stringContaining("only reads") }]);
  });
});

describe("references of an incremental", () => {
  test("to an object that is gone, and to a backup that its record does not name", async () => {
    const base = await putSampleBackup(store, { label: "2025-01-05T120000Z", first: 4 });
    await putSampleBackup(store, { label: "2025-01-06", first: 5, base, state: 2 });
    await putSampleBackup(store, {
      label: "2025-01-06T030000Z",
      first: 5,
      base,
      state: 3,
      change: (record) => ({ ...record, references: [] }),
    });
    const unnamed = ["reference-broken", "2025-01-06T030000Z", "error"];
    // The relation and the tablespace lie in two objects of the base.
    expect(await find()).toEqual([unnamed, unnamed]);
    await store.remove(["base/2025-01-05T120000Z/backup.tar.gz"]);
    expect(await find()).toEqual(
      expect.arrayContaining([
        ["reference-broken", "2025-01-06", "error"],
        ["object-missing", "base/2025-01-05T120000Z/backup.tar.gz", "error"],
      ]),
    );
  });
});

test("a backup whose record is gone and that another refers to is no interrupted run, and is to be left", async () => {
  const base = await putSampleBackup(store, { label: "2025-01-05T120000Z", first: 4 });
  await putSampleBackup(store, { label: "2025-01-06", first: 5, base, state: 2 });
  await store.remove(["base/2025-01-05T120000Z/backup.json"]);
  const { findings } = await verifyRepository(store, { depth: { level: "quick" }, jobs: 2, host: "h", now: () => NOW });
  expect(findings).toContainEqual(
    expect.objectContaining({
      kind: "backup-record-damaged",
      where: "2025-01-05T120000Z",
      advice: expect.stringContaining("nothing removes them while a backup refers to them") as string,
    }),
  );
});

test("a page that was damaged before the backup is found in its bytes, with its block", async () => {
  await putSampleBackup(store, {
    label: "2025-01-06",
    first: 4,
    damage: (pages) => void pages.writeUInt8(pages.readUInt8(5 * 8192 + 4000) ^ 1, 5 * 8192 + 4000),
  });
  expect(await find()).toEqual([]);
  const { findings } = await verifyRepository(store, { depth: { level: "full" }, jobs: 2, host: "h", now: () => NOW });
  expect(findings).toMatchObject([
    {
      kind: "page-damaged",
      severity: "error",
      where: "2025-01-06: base/5/16384",
      what: expect.stringContaining("the checksum of block 5 is wrong"),
    },
  ]);
});
