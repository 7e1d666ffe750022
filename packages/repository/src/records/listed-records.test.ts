import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { recordOf } from "../../test/sample-repository.ts";
import { listBackupDirectories } from "./backup-directories.ts";
import { putBackupRecord, type BackupRecord } from "./backup-record.ts";
import { formatRecord } from "./json-record.ts";
import { ListedRecords } from "./listed-records.ts";
import { backupKey, leaseKey } from "./keys.ts";
import { listLeases } from "../markers/marker-records.ts";

const MIB = 2 ** 20;

function withDatabases(day: number, count: number, name: string): BackupRecord {
  const databases = Array.from({ length: count }, (_, at) => ({ oid: at + 1, name: `${name}${at}` }));
  return { ...recordOf({ day }), databases };
}

test("what is equal in the records of a listing is kept once, and needs no room again", () => {
  const listed = new ListedRecords();
  const long = "x".repeat(1000);
  const first = listed.keep(withDatabases(1, 3000, long), "m/1");
  for (let day = 2; day < 20; day += 1) {
    const record = withDatabases(day, 3000, long);
    const kept = listed.keep(record, `m/${day}`);
    expect(kept).toEqual(record);
    expect(kept.databases).toBe(first.databases);
  }
  // Others of the same size have no room beside them, small ones do.
  listed.keep(withDatabases(20, 3000, "y".repeat(1000)), "m/20");
  expect(() => listed.keep(withDatabases(21, 3000, "z".repeat(1000)), "m/21")).toThrow(
    /^unable to read 'm\/21': its \d+ bytes are too many beside the smaller records/,
  );
  expect(listed.keep(recordOf({ day: 22 }), "m/22")).toEqual(recordOf({ day: 22 }));
});

test("records as backups of large clusters have them fill no room of large ones, and are all kept for years of them", () => {
  const listed = new ListedRecords();
  for (let day = 1; day <= 720; day += 1) listed.keep(withDatabases(1, 400, `${day}`.padEnd(80, "x")), `m/${day}`);
  listed.keep(withDatabases(1, 3000, "y".repeat(1000)), "m/large");
  let kept = 720;
  const fill = (): void => {
    for (; kept < 2000; kept += 1) listed.keep(withDatabases(1, 400, `${kept}`.padEnd(80, "z")), "m/more");
  };
  expect(fill).toThrow(/^unable to read 'm\/more': its \d+ bytes are too many beside the smaller records/);
  expect(kept).toBeGreaterThan(800);
});

test("a record with more entries than any cluster has, or one for which there is no room, hides no other", async () => {
  const store = createMemoryStore({ name: "m" });
  await store.put(backupKey("2025-01-01", "backup.json"), formatRecord(withDatabases(1, 50_001, "")));
  for (const day of [2, 3, 4, 5]) await putBackupRecord(store, withDatabases(day, 45_000, String(day).repeat(25)));
  await putBackupRecord(store, { ...recordOf({ day: 6 }) });
  const settings = Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`s.${at}`, ""]));
  await store.put(backupKey("2025-01-07", "backup.json"), formatRecord({ ...recordOf({ day: 7 }), settings }));
  const directories = await listBackupDirectories(store);
  expect(directories.filter(({ isCrowdedOut }) => isCrowdedOut).every(({ damage }) => damage !== undefined)).toBe(true);
  expect(directories.map(({ isCrowdedOut }) => isCrowdedOut)).toContain(true);
  expect(directories[0]).toMatchObject({ isCrowdedOut: false, damage: { code: "REPOSITORY_DAMAGED" } });
  const told = directories.map(({ label, record, damage }) => [
    label,
    record?.databases.length,
    damage?.message.replace(/^.*': /, "").replace(/\d+ bytes are/, "N bytes are"),
  ]);
  expect(told).toEqual([
    ["2025-01-01", undefined, "databases: more than 50000 entries"],
    ["2025-01-02", 45_000, undefined],
    ["2025-01-03", 45_000, undefined],
    ["2025-01-04", 45_000, undefined],
    ["2025-01-05", undefined, expect.stringMatching(/^its N bytes are too many/)],
    ["2025-01-06", 1, undefined],
    ["2025-01-07", undefined, "settings: more than 2000 entries"],
  ]);
});

test("no more records are read at once than there is room for, and a failure ends the others", async () => {
  const memory = createMemoryStore({ name: "m" });
  for (const day of [1, 2, 3, 4]) await putBackupRecord(memory, withDatabases(day, 5000, "x".repeat(1000)));
  let [reading, most] = [0, 0];
  const store: typeof memory = {
    ...memory,
    async get(key, options) {
      reading += 1;
      most = Math.max(most, reading);
      const body = await memory.get(key, options);
      reading -= 1;
      return body;
    },
  };
  expect(await listBackupDirectories(store)).toHaveLength(4);
  expect(most).toBe(1);
  const gone = AbortSignal.abort(new Error("gone"));
  await expect(listBackupDirectories(memory, { signal: gone })).rejects.toMatchObject({ code: "ABORTED" });
  expect((await listBackupDirectories(memory, { signal: new AbortController().signal })).length).toBe(4);
});

test("markers of more bytes than anybody wrote are refused before they are read", async () => {
  const store = createMemoryStore({ name: "m" });
  for (const id of ["a", "b", "c"]) await store.put(leaseKey(id), Buffer.alloc(3 * MIB, " "));
  await expect(listLeases(store)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
  const key = leaseKey("a").replace(/a\.json$/, "");
  await store.remove([leaseKey("a"), leaseKey("b"), leaseKey("c")]);
  await store.put(leaseKey("d"), Buffer.alloc(9 * MIB, " "));
  await expect(listLeases(store)).rejects.toMatchObject({
    message: `unable to read the records below 'memory:m/${key}': they have more than 8388608 bytes`,
  });
});
