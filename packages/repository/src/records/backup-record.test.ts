import { createMemoryStore, type ObjectStore } from "@soar/storage";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { recordOf } from "../../test/sample-repository.ts";
import { listBackupDirectories, listBackupRecords } from "./backup-directories.ts";
import {
  archiveObjects,
  findBackupRecord,
  putBackupRecord,
  readBackupObject,
  requireBackupRecord,
  type BackupRecord,
} from "./backup-record.ts";
import { sha256Hex } from "./digest.ts";
import { formatRecord } from "./json-record.ts";
import { backupKey } from "./keys.ts";

const record = recordOf({ day: 5 });
let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});

const text = fc.string();
const size = fc.nat();
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const oid = fc.integer({ min: 1, max: 0xff_ff_ff_ff });

/** Every field that a writer may fill. */
const records: fc.Arbitrary<BackupRecord> = fc
  .record({
    // Names as PostgreSQL has them; JavaScript's own "__proto__" is none.
    settings: fc.dictionary(fc.stringMatching(/^[a-z][a-z_.]{0,20}$/), text),
    // Bytes that are no UTF-8 stand as lone surrogates.
    databases: fc.array(
      fc.record(
        { oid, name: fc.oneof(text, fc.constant("caf\udce9")), encoding: text, collate: text, ctype: text },
        { requiredKeys: ["oid", "name"] },
      ),
    ),
    tablespaces: fc.array(fc.record({ oid, location: text })),
    subscriptions: fc.array(fc.record({ database: text, name: text })),
    archives: fc.array(
      fc.record(
        { name: text, oid, object: text, further: fc.array(text), tar: size, stored: size },
        { requiredKeys: ["name", "object", "tar", "stored"] },
      ),
    ),
    objects: fc.array(fc.record({ name: text, size, sha256 })),
    index: fc.record({ members: fc.array(fc.tuple(size, size, sha256)) }),
    damagedPages: fc.array(fc.record({ path: text, detail: text })),
    warnings: fc.array(text),
    leftOut: fc.array(text),
    codec: fc.constantFrom("gzip" as const, "zstd" as const, "none" as const),
    source: fc.record(
      {
        method: fc.constantFrom("files" as const, "replication" as const, "pg_basebackup" as const),
        fromStandby: fc.boolean(),
        host: text,
        dataDirectory: text,
        superuser: text,
      },
      { requiredKeys: ["method", "fromStandby", "host", "dataDirectory"] },
    ),
  })
  .map((fields) => ({ ...record, ...fields }));

test("the objects of a backup's archives are those of each, also where it goes on in others", () => {
  const archives = [
    { name: "16420", oid: 16_420, object: "16420.tar", tar: 1, stored: 1 },
    { name: "base", object: "backup.tar", further: ["backup-2.tar", "backup-3.tar"], tar: 3, stored: 3 },
  ];
  expect(archiveObjects({ archives })).toEqual(["16420.tar", "backup.tar", "backup-2.tar", "backup-3.tar"]);
});

describe("backup.json", () => {
  test("is read as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(records, async (written) => {
        const fresh = createMemoryStore();
        await putBackupRecord(fresh, written);
        expect(await findBackupRecord(fresh, written.label)).toEqual(JSON.parse(JSON.stringify(written)));
      }),
      { numRuns: 50 },
    );
  });

  test("is written once", async () => {
    await putBackupRecord(store, record);
    await expect(putBackupRecord(store, record)).rejects.toMatchObject({ code: "OBJECT_EXISTS" });
  });

  test("that is not there means that there is no backup", async () => {
    expect(await findBackupRecord(store, record.label)).toBeUndefined();
    await expect(requireBackupRecord(store, record.label)).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      message: "there is no complete backup '2025-01-05' in 'memory:m'",
    });
  });

  test("under another label is damage", async () => {
    await store.put("base/2025-01-06/backup.json", formatRecord(record));
    await expect(findBackupRecord(store, "2025-01-06")).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      message: "unable to use 'base/2025-01-06/backup.json': it describes '2025-01-05'",
    });
  });

  test.each<[string, object]>([
    ["a label that is none", { label: "monday" }],
    ["a kind that is unknown", { kind: "differential" }],
    ["an LSN that is none", { stopLsn: "0-400" }],
    ["a segment name that is none", { firstSegment: "00000001" }],
    ["timeline 0", { timeline: 0 }],
    ["a size below 0", { sizes: { ...record.sizes, database: -1 } }],
    ["an instant without a time", { startedAt: "2025-01-05" }],
    ["a digest in capitals", { objects: [{ name: "x", size: 1, sha256: "A".repeat(64) }] }],
    ["a member without its digest", { index: { members: [[1, 2]] } }],
    ["an OID of 0", { tablespaces: [{ oid: 0, location: "/mnt" }] }],
  ])("with %s is damage", async (_, change) => {
    await store.put("base/2025-01-05/backup.json", formatRecord({ ...record, ...change }));
    await expect(findBackupRecord(store, record.label)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
  });

  test("without any one of its fields is damage, but for the one that is reserved", async () => {
    for (const field of Object.keys(record)) {
      const fresh = createMemoryStore();
      await fresh.put("base/2025-01-05/backup.json", formatRecord({ ...record, [field]: undefined }));
      await expect(findBackupRecord(fresh, record.label), field).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    }
  });
});

describe("the directory of backups", () => {
  test("lists complete, running and pinned ones with every object, oldest label first", async () => {
    await putBackupRecord(store, record);
    await store.put("base/2025-01-05/keep.json", Buffer.from("{}"));
    await store.put("base/2025-01-04/started.json", Buffer.from("{}"));
    const directories = await listBackupDirectories(store);
    expect(
      directories.map(({ label, record: found, kept, damage, objects }) => [
        label,
        found?.label,
        kept,
        damage,
        [...objects.keys()],
      ]),
    ).toEqual([
      ["2025-01-04", undefined, false, undefined, ["started.json"]],
      ["2025-01-05", "2025-01-05", true, undefined, ["backup.json", "keep.json"]],
    ]);
  });

  test("shows a damaged record as damage, and the healthy ones all the same", async () => {
    await putBackupRecord(store, record);
    await store.put("base/2025-01-06/backup.json", Buffer.from("{"));
    const directories = await listBackupDirectories(store);
    expect(directories.map(({ label, record: found, damage }) => [label, found?.label, damage?.code])).toEqual([
      ["2025-01-05", "2025-01-05", undefined],
      ["2025-01-06", undefined, "REPOSITORY_DAMAGED"],
    ]);
    expect(await listBackupRecords(store)).toEqual([record]);
  });

  test("does not hide what is newer than this program, nor what it could not read", async () => {
    await store.put("base/2025-01-06/backup.json", Buffer.from('{"format":2}'));
    await expect(listBackupDirectories(store)).rejects.toMatchObject({ code: "REPOSITORY_VERSION" });
    const down: ObjectStore = {
      ...store,
      stat: async () => Promise.reject(Object.assign(new Error("down"), { code: "STORE_UNREACHABLE" })),
    };
    await expect(listBackupDirectories(down)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });

  test.each(["base/notes.txt", "base/monday/backup.json"])(
    "refuses %s, which no program of ours wrote",
    async (key) => {
      await store.put(key, Buffer.of(1));
      await expect(listBackupDirectories(store)).rejects.toMatchObject({
        code: "REPOSITORY_DAMAGED",
        message: `'memory:m/${key}' is not an object of this repository`,
      });
    },
  );

  test("orders records by where they became consistent, never by name", async () => {
    const [early, late, twin] = [
      recordOf({ day: 9, index: 3 }),
      recordOf({ day: 5, index: 8 }),
      recordOf({ day: 4, index: 8 }),
    ];
    for (const one of [late, early, twin]) await putBackupRecord(store, one);
    expect((await listBackupRecords(store)).map(({ label }) => label)).toEqual([
      "2025-01-09",
      "2025-01-04",
      "2025-01-05",
    ]);
  });
});

describe("an object of a backup", () => {
  const bytes = Buffer.from("START WAL LOCATION");
  const holding = { ...record, objects: [{ name: "backup_label", size: bytes.length, sha256: sha256Hex(bytes) }] };
  const put = (content: Buffer) => store.put(backupKey(record.label, "backup_label"), content);

  test("is read and compared", async () => {
    await put(bytes);
    expect(await readBackupObject(store, holding, "backup_label")).toEqual(bytes);
  });

  test.each([
    ["flipped", Buffer.from("START WAL LOCATIOM")],
    ["cut short", bytes.subarray(1)],
    ["longer", Buffer.concat([bytes, Buffer.of(10)])],
  ])("that is %s is damage", async (_, content) => {
    await put(content);
    await expect(readBackupObject(store, holding, "backup_label")).rejects.toMatchObject({
      code: expect.stringMatching(/^(REPOSITORY_DAMAGED|STORE_PROTOCOL)$/),
    });
  });

  test("that is recorded as larger than any can be is damage, and is not asked for", async () => {
    const asked: string[] = [];
    const watched = { ...store, get: (key: string) => (asked.push(key), store.get(key)) };
    const huge = { ...record, objects: [{ name: "backup_label", size: 2 ** 33, sha256: sha256Hex(bytes) }] };
    await expect(readBackupObject(watched, huge, "backup_label")).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    expect(asked).toEqual([]);
  });

  test("that is not recorded, or not there, is missing", async () => {
    await expect(readBackupObject(store, holding, "tablespace_map")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    await expect(readBackupObject(store, holding, "backup_label")).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  });
});
