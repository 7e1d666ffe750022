import { formatLsn, parseLsn } from "@soar/pg-tools";
import { type BackupRecord, formatRecord, requireBackupRecord, sha256Hex } from "@soar/repository";
import { putGap } from "@soar/repository/markers";
import { putTailPiece } from "@soar/repository/tail";
import { readObject } from "@soar/storage";
import {
  archiveSample as archive,
  putSampleBackup as putBackup,
  replaceObject as replace,
  SAMPLE_LABEL as LABEL,
  sampleSegment as segmentBytes,
  segmentKey,
  segmentName,
  SYSTEM_IDENTIFIER,
} from "@soar-tooling/sample-repository";
import { describe, expect, test } from "vitest";
import { error, flip, FULL, QUICK, STORED_AT, useSampleRepository, warning } from "./sample-repository.fixture.ts";

const { find, repository, verify } = useSampleRepository();

describe("every segment", () => {
  test("flipped in its members, its description or its footer is found", async () => {
    const key = segmentKey(5);
    const { length } = await readObject(repository.store, key);
    // Every single byte is flipped in the tests of getWalFile.
    for (let at = 0; at < length; at += 97) {
      await replace(repository.store, key, flip(at));
      expect(await find(), `byte ${at} of ${length}`).toEqual([error("wal-damaged", key)]);
      await replace(repository.store, key, flip(at));
    }
    expect(await find()).toEqual([]);
  });

  test.each([...[3, 4, 5, 6].map((index) => [index, 1] as const), ...[6, 7, 8].map((index) => [index, 2] as const)])(
    "%i of timeline %i cut short is found",
    async (index, timeline) => {
      const key = segmentKey(index, timeline);
      await replace(repository.store, key, (bytes) => bytes.subarray(0, bytes.length - 1));
      expect(await find()).toEqual([error("wal-damaged", key)]);
    },
  );

  test("that no kept backup needs is neither read nor reported", async () => {
    await replace(repository.store, segmentKey(2), flip(0));
    expect(await find()).toEqual([]);
  });

  test("swapped with another one is found, both", async () => {
    const bytes = await Promise.all([4, 5].map((index) => readObject(repository.store, segmentKey(index))));
    await replace(repository.store, segmentKey(4), () => bytes[1] ?? Buffer.of());
    await replace(repository.store, segmentKey(5), () => bytes[0] ?? Buffer.of());
    expect(await find()).toEqual([error("wal-damaged", segmentKey(4)), error("wal-damaged", segmentKey(5))]);
  });

  test.each<[string, Buffer]>([
    ["of another cluster", segmentBytes(5, { systemIdentifier: "7000000000000000001" })],
    ["with another segment's first page", segmentBytes(4)],
    ["of a younger timeline", segmentBytes(5, { timeline: 9 })],
    ["of half the size", segmentBytes(5).subarray(0, 524_288)],
    ["of zeros", Buffer.alloc(1024 * 1024)],
  ])("%s, with a description that fits it, is found", async (_, bytes) => {
    await repository.store.remove([segmentKey(5)]);
    await archive(repository.store, segmentName(5), bytes);
    expect(await find()).toEqual([error("wal-damaged", segmentKey(5))]);
  });

  test("stored twice with equal bytes is a warning; with other bytes an error", async () => {
    const bare = `wal/${segmentName(5)}`;
    await repository.store.put(bare, segmentBytes(5));
    expect(await find()).toEqual([warning("wal-duplicate", segmentName(5))]);
    await replace(repository.store, bare, () => segmentBytes(5, { fill: 77 }));
    expect(await find()).toEqual([error("wal-duplicate", segmentName(5))]);
    await replace(repository.store, bare, flip(9000));
    expect(await find()).toEqual([error("wal-damaged", bare), warning("wal-duplicate", segmentName(5))]);
  });

  test("bare and cut short is found", async () => {
    await repository.store.remove([segmentKey(5)]);
    await repository.store.put(`wal/${segmentName(5)}`, segmentBytes(5).subarray(0, 100_000));
    expect(await find()).toEqual([
      error("wal-damaged", `wal/${segmentName(5)}`),
      error("wal-wrong-size", `wal/${segmentName(5)}`),
    ]);
  });
});

describe("the chain", () => {
  test("with a hole is found, once, however many backups and timelines lead through it", async () => {
    await putBackup(repository.store, { label: "2025-01-06", first: 4 });
    await repository.store.remove([segmentKey(5)]);
    // Segment 5 is also what makes the second backup consistent.
    for (const depth of [QUICK, FULL])
      expect(await find({ depth })).toEqual([
        error("backup-inconsistent", "2025-01-06"),
        error("wal-missing", segmentName(5)),
      ]);
    expect(await find({ labels: [LABEL] })).toEqual([error("wal-missing", segmentName(5))]);
  });

  test("with a hole of several segments says from where to where", async () => {
    await repository.store.remove([segmentKey(4), segmentKey(5)]);
    const { findings } = await verify({ depth: QUICK });
    expect(findings).toContainEqual(
      expect.objectContaining({
        kind: "wal-missing",
        where: segmentName(4),
        what: `2 segments are missing, to ${segmentName(5)}, although later ones are there`,
      }),
    );
  });

  test("with a hole that somebody declared is a notice once a backup was taken behind it, and an error before", async () => {
    await putGap(repository.store, {
      format: 1,
      from: segmentName(5),
      to: segmentName(5),
      declaredBy: "anna",
      declaredAt: "2025-01-05T12:00:00.000Z",
      reason: "disk full",
    });
    await repository.store.remove([segmentKey(5)]);
    expect(await find({ depth: QUICK })).toEqual([error("wal-gap-declared", segmentName(5))]);
    for (const index of [7, 8]) await archive(repository.store, segmentName(index), segmentBytes(index));
    await putBackup(repository.store, { label: "2025-01-06", first: 7 });
    const { findings } = await verify({ depth: QUICK });
    const what = "this segment was given up by anna at 2025-01-05T12:00:00.000Z (disk full)";
    expect(findings).toContainEqual(expect.objectContaining({ kind: "wal-gap-declared", severity: "notice", what }));
  });

  test("that ends before a backup is consistent is found", async () => {
    await repository.store.remove([
      segmentKey(4),
      segmentKey(5),
      segmentKey(6),
      ...[6, 7, 8].map((index) => segmentKey(index, 2)),
    ]);
    const { findings } = await verify({ depth: QUICK });
    expect(findings).toMatchObject([
      {
        kind: "backup-inconsistent",
        where: LABEL,
        what: expect.stringContaining(`it needs ${segmentName(3)} to ${segmentName(4)}`),
      },
    ]);
    expect(findings[0]?.what).toContain(`from ${segmentName(4)} on not all is there`);
  });

  test("whose last segment is gone cannot be told from one that was never archived", async () => {
    await repository.store.remove([segmentKey(8, 2)]);
    expect(await find()).toEqual([]);
  });

  test("of a timeline without its history is found, and so is a damaged history", async () => {
    const key = "wal/00000002.history";
    await replace(repository.store, key, () => Buffer.from("<Error/>"));
    expect(await find({ depth: QUICK })).toEqual([error("history-damaged", key)]);
    await repository.store.remove([key]);
    expect(await find({ depth: QUICK })).toEqual([error("history-missing", key)]);
  });

  test("with a segment on a timeline that had not begun then, of an impossible size, and with a foreign last one", async () => {
    await repository.store.put(segmentKey(4, 2), await readObject(repository.store, segmentKey(4)));
    expect(await find({ depth: QUICK })).toEqual([warning("wal-misplaced", segmentKey(4, 2))]);
    await replace(repository.store, segmentKey(5), (bytes) => bytes.subarray(0, 100));
    expect(await find({ depth: QUICK })).toEqual([
      error("wal-wrong-size", segmentKey(5)),
      warning("wal-misplaced", segmentKey(4, 2)),
    ]);
    await replace(repository.store, segmentKey(8, 2), () => Buffer.alloc(300));
    expect(await find({ depth: QUICK })).toContainEqual(error("wal-damaged", segmentKey(8, 2)));
    await repository.store.remove([segmentKey(8, 2)]);
    await archive(repository.store, segmentName(8, 2), segmentBytes(8, { timeline: 2 }), { sysid: "12" });
    expect(await find({ depth: QUICK })).toContainEqual(error("wal-damaged", segmentKey(8, 2)));
  });
});

describe("the newest timeline", () => {
  const key = "wal/00000003.history";
  const put = async () => {
    const history = await readObject(repository.store, "wal/00000002.history");
    await repository.store.put(
      key,
      Buffer.concat([history, Buffer.from("2\t0/8000000\tno recovery target specified\n")]),
    );
  };
  const inDays = (days: number) =>
    verify({ depth: QUICK, now: () => new Date(STORED_AT.getTime() + days * 86_400_000) });
  const kinds = async (days: number) =>
    (await inDays(days)).findings.filter(({ where }) => where === key).map(({ kind, severity }) => [kind, severity]);

  test("of which a day after its promotion only the history is there is a warning: --latest is refused", async () => {
    await put();
    expect(await kinds(0.5)).toEqual([]);
    expect(await kinds(1.5)).toEqual([["history-unused", "warning"]]);
  });

  test("is well as soon as anything of it was shipped", async () => {
    await put();
    const bytes = Buffer.alloc(8192);
    await putTailPiece(repository.store, {
      segmentName: "000000030000000000000008",
      from: 0,
      bytes,
      sha256: sha256Hex(bytes),
      systemIdentifier: SYSTEM_IDENTIFIER,
    });
    expect(await kinds(1.5)).toEqual([]);
  });
});

describe("a backup history file", () => {
  const name = `${segmentName(3)}.00000028.backup`;
  const key = `wal/${name}`;

  test("cut or changed in any byte is found, where the backup knows its digest", async () => {
    const { store } = repository;
    const bytes = await readObject(store, key);
    const record = await requireBackupRecord(store, LABEL);
    await replace(store, `base/${LABEL}/backup.json`, () =>
      formatRecord({ ...record, backupHistory: { name, sha256: sha256Hex(bytes) } }),
    );
    expect(await find()).toEqual([]);
    for (let at = 0; at < bytes.length; at += 7) {
      await replace(store, key, flip(at));
      expect(await find(), `byte ${at}`).toEqual([error("wal-damaged", key)]);
      await replace(store, key, flip(at));
    }
    await replace(store, key, (whole) => whole.subarray(0, whole.length - 1));
    expect(await find()).toEqual([error("wal-damaged", key)]);
  });

  test("of a backup that knows no digest is compared with what the backup says of itself", async () => {
    const { store } = repository;
    for (const [from, to] of [
      ["CHECKPOINT LOCATION", "CHECKPOINT LOCATIOM"],
      ["BACKUP FROM: primary", "BACKUP FROM: standby"],
      ["START TIMELINE: 1", "START TIMELINE: 2"],
    ] as const) {
      await replace(store, key, (bytes) => Buffer.from(bytes.toString().replace(from, to)));
      expect(await find(), from).toEqual([error("wal-damaged", key)]);
      await replace(store, key, (bytes) => Buffer.from(bytes.toString().replace(to, from)));
    }
    expect(await find()).toEqual([]);
  });
});

test.each([
  ["that names none", false],
  ["that names it", true],
])(
  "a backup history file is not that of a backup from a standby or the archive %s and began with it",
  async (_, names) => {
    const { store } = repository;
    const name = `${segmentName(3)}.00000028.backup`;
    const sha256 = sha256Hex(await readObject(store, `wal/${name}`));
    const ofStandby = (record: BackupRecord): BackupRecord => ({
      ...record,
      source: { ...record.source, fromStandby: true },
      stopLsn: formatLsn(parseLsn(record.stopLsn) + 8n),
      backupHistory: names ? { name, sha256 } : undefined,
    });
    await putBackup(store, { label: "2025-01-01", first: 3, change: ofStandby });
    // The manifest of this one ends where its record does not.
    expect((await find()).filter(([kind]) => kind !== "manifest-damaged")).toEqual([]);
  },
);

describe("what the server says to have archived last", () => {
  const ask = async (lastArchived: string | undefined) => {
    const { findings, server } = await verify({ depth: QUICK, askServer: () => Promise.resolve({ lastArchived }) });
    expect(server).toEqual({ lastArchived });
    return findings.map(({ kind, where, severity }) => [kind, where, severity]);
  };

  test("has to be there, or to be given up", async () => {
    expect(await ask(segmentName(8, 2))).toEqual([]);
    expect(await ask(undefined)).toEqual([]);
    expect(await ask("00000002.history")).toEqual([]);
    await repository.store.remove([segmentKey(8, 2)]);
    expect(await find({ depth: QUICK })).toEqual([]);
    const name = segmentName(8, 2);
    expect(await ask(name)).toEqual([error("wal-missing", name)]);
    const gap = { format: 1 as const, from: name, to: name, declaredBy: "x", reason: "y" };
    await putGap(repository.store, { ...gap, declaredAt: "2025-01-05T00:00:00Z" });
    expect(await ask(name)).toEqual([]);
  });

  test("is not taken for compared where the server cannot be asked", async () => {
    const unusable = { unusable: "unable to connect" };
    const report = await verify({ depth: QUICK, askServer: () => Promise.resolve(unusable) });
    expect(report).toMatchObject({ server: unusable, findings: [] });
  });
});
