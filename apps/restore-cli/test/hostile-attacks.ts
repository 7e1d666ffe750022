import { createHash } from "node:crypto";
import { join } from "node:path";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { putBackupRecord, type BackupRecord } from "@soar/repository";
import { putSampleBackup } from "@soar-tooling/sample-repository";
import type { HostileWorld } from "./hostile-world.ts";

const MIB = 2 ** 20;
/** Newer than that of the sample repository. */
const LABEL = "2025-02-01";
/** Of the database to rescue from. */
const DATABASES = [{ name: "soar", oid: 5 }];

type Change = (record: BackupRecord) => BackupRecord;

/** Replaces an object of the newest backup, as its record then says. */
async function plantObject(
  { store }: HostileWorld,
  name: string,
  bytes: Buffer,
  change: Change = (same) => same,
): Promise<void> {
  const key = `base/${LABEL}/${name}`;
  let record: BackupRecord | undefined;
  await putSampleBackup(store, {
    label: LABEL,
    first: 3,
    change: (made) => (record = { ...made, databases: DATABASES }),
  });
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
async function plantTable(world: HostileWorld, frames: readonly Buffer[], tar?: number): Promise<void> {
  const stored = frames.map((frame) => zstdCompressSync(frame, CHECKED));
  await plantObject(world, "index.zst", Buffer.concat(stored), (record) => ({
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
async function plantBomb(
  world: HostileWorld,
  count: number,
  { tar, row }: { tar: number; row?: () => string },
): Promise<void> {
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
    world,
    [
      Buffer.from(`${HEADER}["o","base/${LABEL}/backup.tar.gz","gzip"]\n`),
      ...frames.map((one) => one ?? frames[0] ?? Buffer.of()),
    ],
    tar,
  );
}

export interface Attack {
  readonly name: string;
  readonly plant: (world: HostileWorld) => Promise<unknown>;
  /** What the program says of it. */
  readonly refusal: RegExp;
  /** What a rescue says where it takes another backup. */
  readonly rescued?: RegExp;
}

/** What a rescue says that has looked through catalogs: what is no cluster lacks a directory. */
const NO_CLUSTER = /unable to write .*16500.*there is no such file/;

/** On what a restore and a rescue read. */
export const ATTACKS: readonly Attack[] = [
  {
    name: "a record of 100 MiB",
    plant: ({ store }) => store.put(`base/${LABEL}/backup.json`, Buffer.alloc(100 * MIB, 0x20)),
    refusal: /backup\.json': it has 104857600 bytes/,
    rescued: /scratch cluster[^]*error: /,
  },
  {
    name: "a frame of the seek table that is half a gigabyte plain",
    plant: (world) => plantTable(world, [Buffer.alloc(512 * MIB, 0x20)]),
    refusal: /no frame has 536870912 bytes/,
  },
  {
    name: "a seek table of 300,000 files that does not end",
    plant: (world) => plantTable(world, [Buffer.from(HEADER), ...manyRows(300_000)]),
    refusal: /its entries have no room for their headers/,
  },
  {
    name: "a seek table of 2 million files, for which the recorded archive has no room",
    plant: (world) => plantBomb(world, 2_000_000, { tar: 4 * MIB }),
    refusal: /its archive 'base' is longer than the 4194304 bytes that were recorded/,
  },
  {
    name: "a record that claims room for a seek table of 30 million files",
    plant: (world) => plantBomb(world, 30_000_000, { tar: 32 * 2 ** 30 }),
    refusal: /describes more than \d+ files, for which this process has no memory/,
  },
  {
    name: "a record that claims room for 30 million members of one byte",
    plant: (world) => plantBomb(world, 30_000_000, { tar: 32 * 2 ** 30, row: () => member(1) }),
    refusal: /its members are smaller than any writer makes them/,
  },
  {
    name: "a seek table in which a member claims a gigabyte",
    plant: (world) =>
      plantTable(world, [
        Buffer.from(
          `${HEADER}["o","base/${LABEL}/backup.tar.gz","gzip"]\n["m",0,0,1073741824,1073741824,"${Buffer.alloc(32).toString("base64")}",0,"AAAAAAAAAAA="]\n`,
        ),
      ]),
    refusal: /a line of the seek table/,
  },
  {
    name: "zeros of which a request would bring fifty thousand members",
    plant: (world) => plantFile(world, "base/5/1259", Buffer.alloc(768 * MIB)),
    refusal: /unable to read 'server-config.tar.gz'.*it is no gzip/,
    rescued: NO_CLUSTER,
  },
  {
    name: "links out of the directory",
    plant: ({ root, store }) =>
      putSampleBackup(store, {
        label: LABEL,
        first: 3,
        beside: { links: { "conf.d": root, pg_wal: join(root, "bucket") } },
      }),
    refusal: /its archive 'base' holds 'conf\.d', a link to/,
  },
  {
    name: "a history of 100 MiB",
    plant: async ({ store }) => {
      await store.put("wal/00000003.history", Buffer.alloc(100 * MIB, 0x0a));
      await store.put("wal/000000030000000000000008.zst", Buffer.from("x"));
    },
    refusal: /00000003\.history' is damaged/,
  },
];

/** On what only a restore reads. */
export const CONFIGURATION_ATTACK: Attack = {
  name: "a configuration that is a gigabyte plain",
  plant: (world) => plantObject(world, "server-config.tar.gz", gzipSync(Buffer.alloc(1024 * MIB))),
  refusal: /unable to read 'server-config.tar.gz'.* more than 67108864 bytes unpacked/,
};

/** A file of the database that a rescue reads itself. */
async function plantFile(
  { store }: HostileWorld,
  path: string,
  content: Buffer,
  settings: BackupRecord["settings"] = {},
): Promise<void> {
  const change: Change = (made) => ({ ...made, databases: DATABASES, settings });
  // Where placeholders go.
  const beside = { directories: ["base/5"] };
  await putSampleBackup(store, { label: LABEL, first: 3, beside, more: { [path]: content }, change });
}

/** Pages of pg_class that say one row as often as they have room for a pointer to it. */
function pagesOfOneRow(count: number): Buffer {
  const page = Buffer.alloc(8192);
  const length = 24 + 140;
  const at = page.length - length;
  page.writeUInt8(24, at + 22);
  page.writeUInt32LE(16_385, at + 24);
  page.write("devices", at + 28);
  for (let pointer = 24; pointer + 4 <= at; pointer += 4)
    page.writeUInt32LE(((length << 17) | (1 << 15) | at) >>> 0, pointer);
  page.writeUInt16LE(at, 12);
  return Buffer.concat(Array.from({ length: count }, () => page));
}

/** On what only a rescue of tables reads. */
export const RESCUE_ATTACKS: readonly Attack[] = [
  {
    name: "a pg_class of 256 MiB",
    plant: (world) => plantFile(world, "base/5/1259", Buffer.alloc(256 * MIB)),
    refusal: NO_CLUSTER,
  },
  {
    name: "a pg_class that has 26 million pointers to one row",
    plant: (world) => plantFile(world, "base/5/1259", pagesOfOneRow(13_000)),
    refusal: NO_CLUSTER,
  },
  {
    name: "pages of no bytes",
    plant: (world) => plantFile(world, "base/5/1259", pagesOfOneRow(1), { block_size: "0" }),
    refusal: /no PostgreSQL has pages of '0' bytes/,
  },
];
