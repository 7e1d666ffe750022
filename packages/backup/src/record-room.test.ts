import { findBackupRecord, listBackupRecords, putBackupRecord, RECORD_LIMITS } from "@soar/repository";
import { createMemoryStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";
import fc from "fast-check";
import { expect, test } from "vitest";
import { keepWhatFits, requireRoom } from "./record-room.ts";

const FILE = "base/16384/1234567";
/** The longest that the server says in a line of its log. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.integer({ min: 1, max: 9000 }).map((n) => "\u{1F418}".repeat(n)),
);
const many = fc.oneof(fc.nat(3), fc.nat(100_000));
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

test("whatever a server says and has, what a writer writes a reader reads, and what is left out is counted", async () => {
  const server = fc.record({
    damaged: many,
    warnings: many,
    leftOut: many,
    doubts: many,
    text,
    databases: fc.oneof(fc.nat(5), fc.nat(60_000)),
    name: fc.string({ unit: "binary", maxLength: 63 }),
    tablespaces: fc.oneof(fc.nat(5), fc.nat(12_000)),
  });
  await fc.assert(
    fc.asyncProperty(server, async ({ text: said, name, ...counts }) => {
      const databases = times(counts.databases, { oid: 1, name, encoding: "UTF8", collate: "C", ctype: "C" });
      const tablespaces = times(counts.tablespaces, { oid: 1, name, location: `/srv/${name}` });
      const settings = { max_connections: "100" };
      try {
        requireRoom({ tablespaces, settings }, { databases });
      } catch (error) {
        expect(error).toMatchObject({ code: "RECORD_TOO_LARGE" });
        expect(counts.databases + counts.tablespaces).toBeGreaterThan(2000);
        return;
      }
      const kept = keepWhatFits({
        damagedPages: times(counts.damaged, { path: FILE, detail: said }),
        warnings: times(counts.warnings, said),
        leftOut: times(counts.leftOut, FILE),
        clockDoubts: times(counts.doubts, said),
      });
      const archives = tablespaces.map(({ oid }) => ({
        name: `${oid}.tar`,
        oid,
        object: "16384.tar.gz",
        tar: 1,
        stored: 1,
      }));
      const objects = times(counts.tablespaces, { name: "16384.tar.gz", size: 1, sha256: "0".repeat(64) });
      const places = tablespaces.map(({ oid, location }) => ({ oid, location }));
      const record = { ...sampleRecord({}), databases, tablespaces: places, settings, archives, objects, ...kept };
      const store = createMemoryStore();
      await putBackupRecord(store, record);
      expect(await findBackupRecord(store, record.label)).toEqual(record);
      expect(await listBackupRecords(store)).toHaveLength(1);
      const { omitted = {} } = record;
      expect(kept.damagedPages.length + (omitted.damagedPages ?? 0)).toBe(counts.damaged);
      expect((kept.warnings?.length ?? 0) + (omitted.warnings ?? 0)).toBe(counts.warnings);
      expect((kept.leftOut?.length ?? 0) + (omitted.leftOut ?? 0)).toBe(counts.leftOut);
      expect((kept.clockDoubts?.length ?? 0) + (omitted.clockDoubts ?? 0)).toBe(counts.doubts);
      // That there is something is never left out.
      expect(kept.damagedPages.length > 0).toBe(counts.damaged > 0);
    }),
    { numRuns: 25 },
  );
});

test("a record that no reader would read is not written", async () => {
  const store = createMemoryStore();
  const put = (changes: object): Promise<void> => putBackupRecord(store, { ...sampleRecord({}), ...changes });
  const long = { path: FILE, detail: "x".repeat(RECORD_LIMITS.bytes) };
  await expect(put({ damagedPages: [long] })).rejects.toMatchObject({ code: "RECORD_TOO_LARGE" });
  await expect(put({ damagedPages: times(100_001, { path: "", detail: "" }) })).rejects.toMatchObject({
    code: "RECORD_TOO_LARGE",
    message: "unable to write a record: damagedPages: more than 100000 entries",
  });
  expect(await Array.fromAsync(store.list(""))).toEqual([]);
});
