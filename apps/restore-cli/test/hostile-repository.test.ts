import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { putBackupRecord, type BackupRecord } from "@soar/repository";
import { openStore, type ObjectStore } from "@soar/storage";
import { fillSampleRepository, putSampleBackup } from "@soar-tooling/sample-repository";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startRestore } from "./run-restore.ts";

const MIB = 2 ** 20;
/** Node itself and the program take about 110 MiB. */
const LARGEST_BYTES = 400 * 1e6;
/** Newer than that of the sample repository. */
const LABEL = "2025-02-01";

let root: string;
let store: ObjectStore;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "soar-hostile-cli-"));
  mkdirSync(join(root, "bucket"));
  store = openStore({ url: `file://${join(root, "bucket")}` });
  await fillSampleRepository(store);
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

type Change = (record: BackupRecord) => BackupRecord;

/** Replaces an object of the newest backup, as its record then says. */
async function plantObject(name: string, bytes: Buffer, change: Change = (same) => same): Promise<void> {
  const key = `base/${LABEL}/${name}`;
  let record: BackupRecord | undefined;
  await putSampleBackup(store, { label: LABEL, first: 3, change: (made) => (record = made) });
  if (record === undefined) throw new Error("the sample has no record");
  await store.remove([key, `base/${LABEL}/backup.json`]);
  await store.put(key, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const objects = record.objects.map((one) => (one.name === name ? { name, size: bytes.length, sha256 } : one));
  await putBackupRecord(store, change({ ...record, objects }));
}

const CHECKED = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** A seek table of these plain frames. */
async function plantTable(frames: readonly Buffer[], tar?: number): Promise<void> {
  const stored = frames.map((frame) => zstdCompressSync(frame, CHECKED));
  await plantObject("index.zst", Buffer.concat(stored), (record) => ({
    ...record,
    archives: record.archives.map((one) => (tar === undefined ? one : { ...one, tar })),
    index: {
      members: frames.map(
        (frame, at) => [stored[at]?.length ?? 0, frame.length, digest(frame)] as [number, number, string],
      ),
    },
  }));
}

const HEADER = '{"format":"soar-seek-table","version":2,"digest":"sha256","chunkBytes":16384}\n["a","base"]\n';

function* manyRows(count: number): Generator<Buffer> {
  for (let at = 0; at < count; at += 10_000)
    yield Buffer.from(
      Array.from({ length: 10_000 }, (_, more) => `["e","base/5/${at + more}","file",0,384,0,0,0,"",0,0]\n`).join(""),
    );
}

const member = (plainBytes: number): string =>
  `["m",0,0,9,${plainBytes},"${Buffer.alloc(32).toString("base64")}",0,"AAAAAAAAAAA="]\n`;

/** Plain bytes of a member that holds the headers of as many empty files as one frame of the table has rows. */
const ROWS_OF_A_FRAME = 50_000;
const FRAME_MEMBER_BYTES = ROWS_OF_A_FRAME * 512 + 512;

/** A table whose frames are all one: nothing in it contradicts the rows before, and stored it is some megabytes. */
async function plantBomb(count: number, { tar, row }: { tar: number; row?: () => string }): Promise<void> {
  const frame = (number: number): Buffer =>
    Buffer.from(
      row === undefined
        ? `${Array.from({ length: ROWS_OF_A_FRAME }, (_, at) => `["e","f","file",0,384,0,0,0,"",${number},${(at + 1) * 512}]\n`).join("")}${member(FRAME_MEMBER_BYTES)}`
        : row().repeat(ROWS_OF_A_FRAME),
    );
  const frames = Array.from({ length: count / ROWS_OF_A_FRAME }, (_, number) =>
    row !== undefined && number > 0 ? undefined : frame(number),
  );
  await plantTable(
    [
      Buffer.from(`${HEADER}["o","base/${LABEL}/backup.tar.gz","gzip"]\n`),
      ...frames.map((one) => one ?? frames[0] ?? Buffer.of()),
    ],
    tar,
  );
}

interface Attack {
  readonly name: string;
  readonly plant: () => Promise<unknown>;
  /** What the restore says of it. */
  readonly refusal: RegExp;
}

const ATTACKS: readonly Attack[] = [
  {
    name: "a configuration that is a gigabyte plain",
    plant: () => plantObject("server-config.tar.gz", gzipSync(Buffer.alloc(1024 * MIB))),
    refusal: /unable to read 'server-config.tar.gz'.* more than 67108864 bytes unpacked/,
  },
  {
    name: "a record of 100 MiB",
    plant: () => store.put(`base/${LABEL}/backup.json`, Buffer.alloc(100 * MIB, 0x20)),
    refusal: /backup\.json': it has 104857600 bytes/,
  },
  {
    name: "a frame of the seek table that is half a gigabyte plain",
    plant: () => plantTable([Buffer.alloc(512 * MIB, 0x20)]),
    refusal: /no frame has 536870912 bytes/,
  },
  {
    name: "a seek table of 300,000 files that does not end",
    plant: () => plantTable([Buffer.from(HEADER), ...manyRows(300_000)]),
    refusal: /its entries have no room for their headers/,
  },
  {
    name: "a seek table of 2 million files, for which the recorded archive has no room",
    plant: () => plantBomb(2_000_000, { tar: 4 * MIB }),
    refusal: /its archive 'base' is longer than the 4194304 bytes that were recorded/,
  },
  {
    name: "a record that claims room for a seek table of 30 million files",
    plant: () => plantBomb(30_000_000, { tar: 32 * 2 ** 30 }),
    refusal: /describes more than \d+ files, for which this process has no memory/,
  },
  {
    name: "a record that claims room for 30 million members of one byte",
    plant: () => plantBomb(30_000_000, { tar: 32 * 2 ** 30, row: () => member(1) }),
    refusal: /its members are smaller than any writer makes them/,
  },
  {
    name: "a seek table in which a member claims a gigabyte",
    plant: () =>
      plantTable([
        Buffer.from(
          `${HEADER}["o","base/${LABEL}/backup.tar.gz","gzip"]\n["m",0,0,1073741824,1073741824,"${Buffer.alloc(32).toString("base64")}",0,"AAAAAAAAAAA="]\n`,
        ),
      ]),
    refusal: /a line of the seek table/,
  },
  {
    name: "links out of the directory",
    plant: () =>
      putSampleBackup(store, { label: LABEL, first: 3, links: { "conf.d": root, pg_wal: join(root, "bucket") } }),
    refusal: /its archive 'base' holds 'conf\.d', a link to/,
  },
  {
    name: "a history of 100 MiB",
    plant: async () => {
      await store.put("wal/00000003.history", Buffer.alloc(100 * MIB, 0x0a));
      await store.put("wal/000000030000000000000008.zst", Buffer.from("x"));
    },
    refusal: /00000003\.history' is damaged/,
  },
];

test.each(ATTACKS)(
  "a restore from a repository with $name is refused in little memory, and leaves nothing that starts",
  { timeout: 120_000 },
  async ({ plant, refusal }) => {
    await plant();
    const dataDir = join(root, "data");
    const place = ["--data-dir", dataDir, "--bin-dir", requireInstallation("pg_ctl").binDir, "--log-dir", root];
    const program = startRestore(["--bucket", `file://${join(root, "bucket")}`, "--latest", ...place, "--yes"], {
      cwd: root,
    });
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, peakOf(program.pid))), 20);
    const { status, stderr } = await program.result;
    clearInterval(watch);
    expect(stderr).toMatch(refusal);
    expect(status, stderr).toBeGreaterThan(1);
    expect(peak, stderr).toBeGreaterThan(0);
    expect(peak, stderr).toBeLessThan(LARGEST_BYTES);
    expect(existsSync(join(dataDir, "global", "pg_control"))).toBe(false);
  },
);

/** The most memory that the process has had at once, in bytes; 0 when it is gone. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
