import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { createFileStore, createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { verifyRepository, type Finding } from "@soar/verify";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { archive, fillRepository, keysOf, LABEL, putBackup, recordOf, replace, segmentBytes, segmentKey, segmentName } from "./small-repository.ts";

let healthy: ObjectStore;
/** A copy of the healthy repository, to be damaged. */
let store: ObjectStore;
beforeAll(async () => {
  healthy = createMemoryStore();
  await fillRepository(healthy);
});
beforeEach(async () => {
  store = createMemoryStore();
  for (const key of await keysOf(healthy)) await store.put(key, await readObject(healthy, key));
});

async function find(labels: readonly string[] = []): Promise<[Finding["kind"], string, Finding["severity"]][]> {
  const { findings } = await verifyRepository(store, { labels, jobs: 2 });
  return findings.map(({ kind, where, severity }) => [kind, where, severity]);
}

const error = (kind: Finding["kind"], where: string) => [kind, where, "error"];
const warning = (kind: Finding["kind"], where: string) => [kind, where, "warning"];
const flip = (at: number) => (bytes: Buffer) => (bytes.writeUInt8(bytes.readUInt8(at) ^ 0x20, at), bytes);

describe("a healthy repository", () => {
  test("has no findings, and all of it was read", async () => {
    const totals: number[] = [];
    const { findings, backups, segments, bytes } = await verifyRepository(store, { jobs: 2, onProgress: (total) => totals.push(total) });
    expect({ findings, backups, segments }).toEqual({ findings: [], backups: [LABEL], segments: 7 });
    expect(totals.at(-1)).toBe(bytes);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
  });

  test("is healthy in a directory, too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "soar-verify-"));
    try {
      store = createFileStore({ directory });
      await fillRepository(store);
      expect(await find()).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("stays healthy with several backups, a pin, a partial segment and a second timeline in use", async () => {
    await putBackup(store, recordOf("2025-01-06", 4));
    await store.put("base/2025-01-06/keep.json", Buffer.from("{}"));
    await archive(store, `${segmentName(6)}.partial`, segmentBytes(6));
    expect(await find()).toEqual([]);
    expect(await find(["2025-01-06"])).toEqual([]);
  });
});

describe("every object of a backup", () => {
  const names = ["backup.tar.gz", "16420.tar.gz", "backup_label", "index.zst"];

  test.each(names)("%s: a flipped bit at every byte is found", async (name) => {
    const key = `base/${LABEL}/${name}`;
    const { length } = await readObject(store, key);
    for (let at = 0; at < length; at += 1) {
      await replace(store, key, flip(at));
      expect(await find(), `byte ${at}`).toEqual([error("object-damaged", key)]);
      await replace(store, key, flip(at));
    }
    expect(await find()).toEqual([]);
  });

  test.each(names)("%s: missing, cut short, longer and empty are found", async (name) => {
    const key = `base/${LABEL}/${name}`;
    for (const change of [(bytes: Buffer) => bytes.subarray(1), (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)]), () => Buffer.alloc(0)]) {
      const saved = await readObject(store, key);
      await replace(store, key, change);
      expect(await find()).toEqual([error("object-wrong-size", key)]);
      await replace(store, key, () => saved);
    }
    await store.remove([key]);
    expect(await find()).toEqual([error("object-missing", key)]);
  });

  test("two that were swapped are found", async () => {
    const [one, other] = [`base/${LABEL}/backup.tar.gz`, `base/${LABEL}/16420.tar.gz`];
    const bytes = await Promise.all([one, other].map((key) => readObject(store, key)));
    await replace(store, one, () => bytes[1] ?? Buffer.of());
    await replace(store, other, () => bytes[0] ?? Buffer.of());
    expect(await find()).toEqual([error("object-wrong-size", one), error("object-wrong-size", other)]);
  });

  test("one that nobody recorded is told, without alarm", async () => {
    await store.put(`base/${LABEL}/notes.txt`, Buffer.from("hello"));
    expect(await find()).toEqual([warning("object-stray", `base/${LABEL}/notes.txt`)]);
  });

  test("one that disappears between the listing and the reading is found", async () => {
    const key = `base/${LABEL}/backup.tar.gz`;
    const vanishing: ObjectStore = { ...store, get: async (asked, options) => (asked === key && (await store.remove([key])), store.get(asked, options)) };
    const { findings } = await verifyRepository(vanishing, { jobs: 1 });
    expect(findings.map(({ kind, where }) => [kind, where])).toEqual([["object-missing", key]]);
  });
});

describe("the record of a backup", () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["no JSON", () => Buffer.from("{")],
    ["cut short", (bytes) => bytes.subarray(0, 100)],
    ["that of another label", (bytes) => Buffer.from(bytes.toString().replace(`"label": "${LABEL}"`, '"label": "2025-01-06"'))],
  ])("that is %s is found, and hides no other backup", async (_, change) => {
    await putBackup(store, recordOf("2025-01-06", 4));
    await replace(store, `base/${LABEL}/backup.json`, change);
    expect(await find()).toEqual([error("backup-record-damaged", LABEL)]);
  });

  test("that is not there is an interrupted backup: nothing is lost, and nothing is left", async () => {
    await store.remove([`base/${LABEL}/backup.json`]);
    expect(await find()).toEqual([warning("backup-interrupted", LABEL), error("no-backup", "base/")]);
  });

  test("of another cluster is found", async () => {
    await putBackup(store, { ...recordOf("2025-01-06", 4), systemIdentifier: "1" });
    expect(await find()).toEqual([error("backup-foreign", "2025-01-06")]);
  });

  test("that tells of damaged pages at the source is a warning", async () => {
    const damagedPages = ["base/5/1", "base/5/1", "base/5/2", "base/5/3", "base/5/4"].map((path) => ({ path, detail: "blocks 1" }));
    await putBackup(store, { ...recordOf("2025-01-06", 4), damagedPages });
    const { findings } = await verifyRepository(store, { jobs: 1 });
    expect(findings).toMatchObject([{ kind: "backup-source-damaged", severity: "warning", where: "2025-01-06", what: "the source had damaged pages in base/5/1, base/5/2, base/5/3 and 1 more files" }]);
  });

  test("of a newer format is no finding but a refusal: this program cannot tell", async () => {
    await replace(store, `base/${LABEL}/backup.json`, () => Buffer.from('{"format":2}'));
    await expect(find()).rejects.toMatchObject({ code: "REPOSITORY_VERSION" });
  });
});

describe("every segment", () => {
  test("flipped in its members, its description or its footer is found", async () => {
    const key = segmentKey(5);
    const { length } = await readObject(store, key);
    // Every single byte is flipped in the tests of getWalFile.
    for (let at = 0; at < length; at += 11) {
      await replace(store, key, flip(at));
      expect(await find(), `byte ${at} of ${length}`).toEqual([error("wal-damaged", key)]);
      await replace(store, key, flip(at));
    }
    expect(await find()).toEqual([]);
  });

  test.each([...[3, 4, 5, 6].map((index) => [index, 1] as const), ...[6, 7, 8].map((index) => [index, 2] as const)])("%i of timeline %i cut short is found", async (index, timeline) => {
    const key = segmentKey(index, timeline);
    await replace(store, key, (bytes) => bytes.subarray(0, bytes.length - 1));
    expect(await find()).toEqual([error("wal-damaged", key)]);
  });

  test("that no kept backup needs is neither read nor reported", async () => {
    await replace(store, segmentKey(2), flip(0));
    expect(await find()).toEqual([]);
  });

  test("swapped with another one is found, both", async () => {
    const bytes = await Promise.all([4, 5].map((index) => readObject(store, segmentKey(index))));
    await replace(store, segmentKey(4), () => bytes[1] ?? Buffer.of());
    await replace(store, segmentKey(5), () => bytes[0] ?? Buffer.of());
    expect(await find()).toEqual([error("wal-damaged", segmentKey(4)), error("wal-damaged", segmentKey(5))]);
  });

  test.each<[string, Buffer]>([
    ["of another cluster", segmentBytes(5, { systemIdentifier: "7000000000000000001" })],
    ["with another segment's first page", segmentBytes(4)],
    ["of a younger timeline", segmentBytes(5, { timeline: 9 })],
    ["of half the size", segmentBytes(5).subarray(0, 524_288)],
    ["of zeros", Buffer.alloc(1024 * 1024)],
  ])("%s, with a description that fits it, is found", async (_, bytes) => {
    await store.remove([segmentKey(5)]);
    await archive(store, segmentName(5), bytes);
    expect(await find()).toEqual([error("wal-damaged", segmentKey(5))]);
  });

  test("stored twice with equal bytes is a warning; with other bytes an error", async () => {
    const bare = `wal/${segmentName(5)}`;
    await store.put(bare, segmentBytes(5));
    expect(await find()).toEqual([warning("wal-duplicate", segmentName(5))]);
    await replace(store, bare, (bytes) => flip(9000)(bytes));
    expect(await find()).toEqual([error("wal-duplicate", segmentName(5))]);
  });

  test("bare and cut short is found", async () => {
    await store.remove([segmentKey(5)]);
    await store.put(`wal/${segmentName(5)}`, segmentBytes(5).subarray(0, 100_000));
    expect(await find()).toEqual([error("wal-damaged", `wal/${segmentName(5)}`)]);
  });
});

describe("the chain", () => {
  test("with a hole is found, once, however many backups and timelines lead through it", async () => {
    await putBackup(store, recordOf("2025-01-06", 4));
    await store.remove([segmentKey(5)]);
    // Segment 5 is also what makes the second backup consistent.
    expect(await find()).toEqual([error("wal-missing", segmentName(5)), error("wal-missing", segmentName(5))]);
    expect(await find([LABEL])).toEqual([error("wal-missing", segmentName(5))]);
  });

  test("with a hole of several segments says from where to where", async () => {
    await store.remove([segmentKey(4), segmentKey(5)]);
    const { findings } = await verifyRepository(store, { jobs: 1 });
    expect(findings[0]).toMatchObject({ kind: "wal-missing", where: segmentName(4), what: `2 segments are missing, to ${segmentName(5)}, although later ones are there` });
  });

  test("that ends before a backup is consistent is found", async () => {
    await store.remove([segmentKey(4), segmentKey(5), segmentKey(6), ...[6, 7, 8].map((index) => segmentKey(index, 2))]);
    const { findings } = await verifyRepository(store, { jobs: 1 });
    expect(findings.map(({ kind, what }) => [kind, what])).toContainEqual(["wal-missing", `backup ${LABEL} cannot be made consistent: it needs ${segmentName(3)} to ${segmentName(4)}`]);
  });

  test("whose last segment is gone cannot be told from one that was never archived", async () => {
    await store.remove([segmentKey(8, 2)]);
    expect(await find()).toEqual([]);
  });

  test("of a timeline without its history is found, and so is a damaged history", async () => {
    const key = "wal/00000002.history";
    await replace(store, key, () => Buffer.from("<Error/>"));
    expect(await find()).toEqual([error("history-damaged", key)]);
    await store.remove([key]);
    expect(await find()).toEqual([error("history-missing", key)]);
  });
});

describe("what cannot be looked at is no health", () => {
  test("no repository is an error", async () => {
    await expect(verifyRepository(createMemoryStore(), { jobs: 1 })).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
  });

  test("a label that is not there is an error", async () => {
    await expect(find(["2025-01-09"])).rejects.toMatchObject({ code: "BACKUP_MISSING", hint: `There are: ${LABEL}.` });
  });

  test("a store that fails at any call ends the verification, never with a report", async () => {
    const rehearsal = withFault(store);
    await verifyRepository(rehearsal, { jobs: 1 });
    for (let atCall = 1; atCall <= rehearsal.calls; atCall += 1) {
      await expect(verifyRepository(withFault(store, { atCall, when: "before" }), { jobs: 1 }), `call ${atCall}`).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    }
  });

  test.each(["STORE_DENIED", "OBJECT_ARCHIVED", "CLOCK_SKEWED"] as const)("%s is no finding", async (code) => {
    const locked: ObjectStore = { ...store, get: async (key, options) => (key.startsWith("wal/0000000100") ? Promise.reject(new SoarError(code, "no")) : store.get(key, options)) };
    await expect(verifyRepository(locked, { jobs: 2 })).rejects.toMatchObject({ code });
  });

  test("an abort ends it", async () => {
    await expect(verifyRepository(store, { jobs: 1, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("nothing is ever written or removed", async () => {
    const before = await keysOf(store);
    await find();
    expect(await keysOf(store)).toEqual(before);
  });
});
