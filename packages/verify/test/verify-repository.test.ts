import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { putGap, putKeep } from "@soar/repository";
import { createFileStore, createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { createVerifyPool, verifyRepository, type VerifyPool, type Depth, type Finding, type VerifyOptions, type VerifyReport } from "@soar/verify";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  archiveSample as archive,
  fillSampleRepository as fillRepository,
  keysOf,
  putSampleBackup as putBackup,
  replaceObject as replace,
  SAMPLE_LABEL as LABEL,
  SAMPLE_TABLESPACE as TABLESPACE,
  sampleSegment as segmentBytes,
  SEGMENT_SIZE,
  segmentKey,
  segmentName,
} from "@soar-tooling/sample-repository";

let healthy: ObjectStore;
/** A copy of the healthy repository, to be damaged. */
let store: ObjectStore;
const NOW = new Date("2025-01-06T04:00:00Z");
let pool: VerifyPool;
afterAll(() => pool.close());
beforeAll(async () => {
  pool = createVerifyPool(2);
  healthy = createMemoryStore({ now: () => new Date("2025-01-06T03:30:00Z") });
  await fillRepository(healthy);
});
beforeEach(async () => {
  store = createMemoryStore({ now: () => new Date("2025-01-06T03:30:00Z") });
  for (const key of await keysOf(healthy)) await store.put(key, await readObject(healthy, key));
});

const FULL: Depth = { level: "full" };
const QUICK: Depth = { level: "quick" };
const verify = (options: Partial<VerifyOptions> = {}, target = store): Promise<VerifyReport> => verifyRepository(target, { depth: FULL, jobs: 2, host: "h", now: () => NOW, pool, ...options });

async function find({ labels = [], depth = FULL }: { readonly labels?: readonly string[]; readonly depth?: Depth } = {}): Promise<[Finding["kind"], string, Finding["severity"]][]> {
  const { findings } = await verify({ labels, depth });
  return findings.map(({ kind, where, severity }) => [kind, where, severity]);
}

const error = (kind: Finding["kind"], where: string) => [kind, where, "error"];
const warning = (kind: Finding["kind"], where: string) => [kind, where, "warning"];
const flip = (at: number) => (bytes: Buffer) => (bytes.writeUInt8(bytes.readUInt8(at) ^ 0x20, at), bytes);

describe("a healthy repository", () => {
  test("has no findings at any level, and all of it was read", async () => {
    expect(await find({ depth: QUICK })).toEqual([]);
    const totals: number[] = [];
    const report = await verify({ onEvent: (event) => event.type === "progress" && totals.push(event.done) });
    expect(report).toMatchObject({ findings: [], backups: [{ label: LABEL, kind: "full", read: "full" }], wal: { segments: 8, read: 7 }, unreadSince: undefined });
    expect(report.window?.timelines.map(({ timeline, ranges }) => [timeline, ranges.length])).toEqual([[2, 1], [1, 1]]);
    expect(totals.at(-1)).toBe(report.readBytes);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
    expect(report.plainBytes).toBeGreaterThan(7 * SEGMENT_SIZE);
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

  test("stays healthy with an incremental, a pin, a partial segment, SHA-256 in the manifest and a second timeline in use", async () => {
    const base = await putBackup(store, { label: "2025-01-06", first: 4, checksums: "SHA256" });
    await putBackup(store, { label: "2025-01-06T030000Z", first: 5, base, state: 2 });
    await putKeep(store, "2025-01-06", { format: 1, reason: "audit", keptAt: "2025-01-06T00:00:00.000Z" });
    await archive(store, `${segmentName(6)}.partial`, segmentBytes(6));
    expect(await find()).toEqual([]);
    expect(await find({ depth: QUICK })).toEqual([]);
    expect(await find({ labels: ["2025-01-06"] })).toEqual([]);
  });
});

describe("every object of a backup", () => {
  const names = ["backup.tar.gz", `${TABLESPACE}.tar.gz`, "backup_label", "index.zst", "backup_manifest", "server-config.tar.gz"];
  const damagedKind = (name: string): Finding["kind"] => (name === "index.zst" ? "table-damaged" : "object-damaged");

  test.each(names)("%s: a flipped bit is found wherever it is", async (name) => {
    const key = `base/${LABEL}/${name}`;
    const depth = name.includes(".tar.gz") && !name.startsWith("server") ? FULL : QUICK;
    const { length } = await readObject(store, key);
    for (let at = 0; at < length; at += Math.max(1, Math.floor(length / 16))) {
      await replace(store, key, flip(at));
      expect(await find({ depth }), `byte ${at} of ${length}`).toContainEqual(error(damagedKind(name), key));
      await replace(store, key, flip(at));
    }
    expect(await find()).toEqual([]);
  });

  test.each(names)("%s: missing, cut short, longer and empty are found by a look at the listing", async (name) => {
    const key = `base/${LABEL}/${name}`;
    for (const change of [(bytes: Buffer) => bytes.subarray(1), (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)]), () => Buffer.alloc(0)]) {
      const saved = await readObject(store, key);
      await replace(store, key, change);
      expect(await find({ depth: QUICK })).toContainEqual(error("object-wrong-size", key));
      await replace(store, key, () => saved);
    }
    await store.remove([key]);
    expect(await find({ depth: QUICK })).toEqual([error("object-missing", key)]);
    expect(await find()).toEqual([error("object-missing", key)]);
  });

  test("two that were swapped are found", async () => {
    const [one, other] = [`base/${LABEL}/backup.tar.gz`, `base/${LABEL}/${TABLESPACE}.tar.gz`];
    const bytes = await Promise.all([one, other].map((key) => readObject(store, key)));
    await replace(store, one, () => bytes[1] ?? Buffer.of());
    await replace(store, other, () => bytes[0] ?? Buffer.of());
    for (const depth of [QUICK, FULL]) expect(await find({ depth })).toEqual([error("object-wrong-size", other), error("object-wrong-size", one)]);
  });

  test("damage says which bytes, and what they hold", async () => {
    await replace(store, `base/${LABEL}/backup.tar.gz`, (bytes) => bytes.fill(0, 3000, 3100));
    const { findings } = await verify();
    expect(findings).toMatchObject([{ what: expect.stringMatching(/^bytes \d+ to \d+ are not what was recorded, which hold .*base\/5\/2619: /) }]);
  });

  test("one that nobody recorded is told, without alarm; one outside of every backup is an error", async () => {
    await store.put(`base/${LABEL}/notes.txt`, Buffer.from("hello"));
    await store.put("base/notes.txt", Buffer.from("hello"));
    await store.put("wal/notes", Buffer.from("hello"));
    await store.put("tail/notes", Buffer.from("hello"));
    await store.put("notes.txt", Buffer.from("hello"));
    const strays = ["base/notes.txt", "tail/notes", "wal/notes"].map((key) => error("object-stray", key));
    expect(await find({ depth: QUICK })).toEqual([...strays, warning("object-stray", `base/${LABEL}/notes.txt`), warning("object-stray", "notes.txt")]);
  });

  test("one that disappears between the listing and the reading is found", async () => {
    const key = `base/${LABEL}/backup_label`;
    const vanishing: ObjectStore = { ...store, get: async (asked, options) => (asked === key && (await store.remove([key])), store.get(asked, options)) };
    const { findings } = await verify({ depth: QUICK }, vanishing);
    expect(findings.map(({ kind, where }) => [kind, where])).toEqual([["object-missing", key]]);
  });
});

describe("the record of a backup", () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["no JSON", () => Buffer.from("{")],
    ["cut short", (bytes) => bytes.subarray(0, 100)],
    ["that of another label", (bytes) => Buffer.from(bytes.toString().replace(`"label": "${LABEL}"`, '"label": "2025-01-06"'))],
    ["changed in a field that nothing else knows", (bytes) => Buffer.from(bytes.toString().replace('"host": "h"', '"host": "i"'))],
  ])("that is %s is found, and hides no other backup", async (_, change) => {
    await putBackup(store, { label: "2025-01-06", first: 4 });
    await replace(store, `base/${LABEL}/backup.json`, change);
    expect(await find({ depth: QUICK })).toEqual([error("backup-record-damaged", LABEL)]);
  });

  test("without its digest is a warning", async () => {
    await replace(store, `base/${LABEL}/backup.json`, (bytes) => Buffer.from(bytes.toString().replace(/,\n {2}"digest.*\n/, "\n")));
    expect(await find({ depth: QUICK })).toEqual([warning("backup-record-damaged", `base/${LABEL}/backup.json`)]);
  });

  test("that is not there is an interrupted backup: nothing is lost, and nothing is left; before its deadline it is running", async () => {
    await store.remove([`base/${LABEL}/backup.json`]);
    expect(await find()).toEqual([error("no-backup", "base/"), warning("backup-interrupted", LABEL)]);
    const { findings } = await verify({ now: () => new Date(`${LABEL}T02:30:00Z`) });
    expect(findings.map(({ kind, severity }) => [kind, severity])).toEqual([["no-backup", "error"], ["backup-running", "notice"]]);
    await store.remove([`base/${LABEL}/started.json`]);
    expect(await find({ depth: QUICK })).toEqual([error("no-backup", "base/"), warning("backup-interrupted", LABEL)]);
  });

  test("of another cluster is found", async () => {
    await putBackup(store, { label: "2025-01-06", first: 4, change: (record) => ({ ...record, systemIdentifier: "1" }) });
    expect(await find()).toEqual([error("backup-foreign", "2025-01-06")]);
  });

  test("that tells of damaged pages at the source is a warning", async () => {
    const damagedPages = ["base/5/1", "base/5/1", "base/5/2", "base/5/3", "base/5/4"].map((path) => ({ path, detail: "blocks 1" }));
    await putBackup(store, { label: "2025-01-06", first: 4, change: (record) => ({ ...record, damagedPages }) });
    const { findings } = await verify({ depth: QUICK });
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
    for (let at = 0; at < length; at += 97) {
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
    await replace(store, bare, () => segmentBytes(5, { fill: 77 }));
    expect(await find()).toEqual([error("wal-duplicate", segmentName(5))]);
    await replace(store, bare, flip(9000));
    expect(await find()).toEqual([error("wal-damaged", bare), warning("wal-duplicate", segmentName(5))]);
  });

  test("bare and cut short is found", async () => {
    await store.remove([segmentKey(5)]);
    await store.put(`wal/${segmentName(5)}`, segmentBytes(5).subarray(0, 100_000));
    expect(await find()).toEqual([error("wal-damaged", `wal/${segmentName(5)}`), error("wal-wrong-size", `wal/${segmentName(5)}`)]);
  });
});

describe("the chain", () => {
  test("with a hole is found, once, however many backups and timelines lead through it", async () => {
    await putBackup(store, { label: "2025-01-06", first: 4 });
    await store.remove([segmentKey(5)]);
    // Segment 5 is also what makes the second backup consistent.
    for (const depth of [QUICK, FULL]) expect(await find({ depth })).toEqual([error("backup-inconsistent", "2025-01-06"), error("wal-missing", segmentName(5))]);
    expect(await find({ labels: [LABEL] })).toEqual([error("wal-missing", segmentName(5))]);
  });

  test("with a hole of several segments says from where to where", async () => {
    await store.remove([segmentKey(4), segmentKey(5)]);
    const { findings } = await verify({ depth: QUICK });
    expect(findings).toContainEqual(expect.objectContaining({ kind: "wal-missing", where: segmentName(4), what: `2 segments are missing, to ${segmentName(5)}, although later ones are there` }));
  });

  test("with a hole that somebody declared is a notice once a backup was taken behind it, and an error before", async () => {
    await putGap(store, { format: 1, from: segmentName(5), to: segmentName(5), declaredBy: "anna", declaredAt: "2025-01-05T12:00:00.000Z", reason: "disk full" });
    await store.remove([segmentKey(5)]);
    expect(await find({ depth: QUICK })).toEqual([error("wal-gap-declared", segmentName(5))]);
    for (const index of [7, 8]) await archive(store, segmentName(index), segmentBytes(index));
    await putBackup(store, { label: "2025-01-06", first: 7 });
    const { findings } = await verify({ depth: QUICK });
    const what = "this segment was given up by anna at 2025-01-05T12:00:00.000Z (disk full)";
    expect(findings).toContainEqual(expect.objectContaining({ kind: "wal-gap-declared", severity: "notice", what }));
  });

  test("that ends before a backup is consistent is found", async () => {
    await store.remove([segmentKey(4), segmentKey(5), segmentKey(6), ...[6, 7, 8].map((index) => segmentKey(index, 2))]);
    const { findings } = await verify({ depth: QUICK });
    expect(findings).toMatchObject([{ kind: "backup-inconsistent", where: LABEL, what: expect.stringContaining(`it needs ${segmentName(3)} to ${segmentName(4)}`) }]);
  });

  test("whose last segment is gone cannot be told from one that was never archived", async () => {
    await store.remove([segmentKey(8, 2)]);
    expect(await find()).toEqual([]);
  });

  test("of a timeline without its history is found, and so is a damaged history", async () => {
    const key = "wal/00000002.history";
    await replace(store, key, () => Buffer.from("<Error/>"));
    expect(await find({ depth: QUICK })).toEqual([error("history-damaged", key)]);
    await store.remove([key]);
    expect(await find({ depth: QUICK })).toEqual([error("history-missing", key)]);
  });

  test("with a segment on a timeline that had not begun then, of an impossible size, and with a foreign last one", async () => {
    await store.put(segmentKey(4, 2), await readObject(store, segmentKey(4)));
    expect(await find({ depth: QUICK })).toEqual([warning("wal-misplaced", segmentKey(4, 2))]);
    await replace(store, segmentKey(5), (bytes) => bytes.subarray(0, 100));
    expect(await find({ depth: QUICK })).toEqual([error("wal-wrong-size", segmentKey(5)), warning("wal-misplaced", segmentKey(4, 2))]);
    await replace(store, segmentKey(8, 2), () => Buffer.alloc(300));
    expect(await find({ depth: QUICK })).toContainEqual(error("wal-damaged", segmentKey(8, 2)));
    await store.remove([segmentKey(8, 2)]);
    await archive(store, segmentName(8, 2), segmentBytes(8, { timeline: 2 }), { sysid: "12" });
    expect(await find({ depth: QUICK })).toContainEqual(error("wal-damaged", segmentKey(8, 2)));
  });
});

describe("what cannot be looked at is no health", () => {
  test("no repository is an error", async () => {
    await expect(verify({}, createMemoryStore())).rejects.toMatchObject({ code: "REPOSITORY_MISSING" });
  });

  test("a label that is not there is an error", async () => {
    await expect(find({ labels: ["2025-01-09"] })).rejects.toMatchObject({ code: "BACKUP_MISSING", hint: `There are: ${LABEL}.` });
  });

  test("a store that fails at any call ends the verification, never with a report", async () => {
    const rehearsal = withFault(store);
    await verify({ jobs: 1 }, rehearsal);
    // The last one gives the lease back, which lapses by itself.
    for (let atCall = 1; atCall < rehearsal.calls; atCall += 1) {
      await expect(verify({ jobs: 1 }, withFault(store, { atCall, when: "before" })), `call ${atCall}`).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    }
  });

  test.each(["STORE_DENIED", "OBJECT_ARCHIVED", "CLOCK_SKEWED"] as const)("%s is no finding", async (code) => {
    const locked: ObjectStore = { ...store, get: async (key, options) => (key.startsWith("wal/0000000100") ? Promise.reject(new SoarError(code, "no")) : store.get(key, options)) };
    await expect(verify({}, locked)).rejects.toMatchObject({ code });
  });

  test("an abort ends it", async () => {
    await expect(verify({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("nothing is ever written or removed", async () => {
    const before = await keysOf(store);
    await find();
    expect(await keysOf(store)).toEqual(before);
  });
});
