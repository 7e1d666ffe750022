// Rates and sizes of writing, reading and extracting: `node --conditions=soar-source bench/pipeline.ts [FILE.tar [RUNS]]`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Codec,
  type CodecPool,
  createCodecPool,
  DEFAULT_CHUNK_BYTES,
  DEFAULT_LEVELS,
  DigestIndex,
  extractArchive,
  readArchive,
  type ReadOptions,
  readSeekTable,
  type SeekArchive,
  SeekTableWriter,
  writeSeekableTar,
} from "@soar/seekable-tar";
import { mapOrdered } from "@soar/task-pool";
import { describeMachine, megabytesPerSecond, percent, printTable, readPieces, withSample } from "./sample.ts";

const RUNS = Number(process.argv[3] ?? 3);
const PEERS: Record<Codec, readonly string[] | undefined> = {
  gzip: ["gzip", "-6", "-c"],
  zstd: ["zstd", "-3", "-T2", "-q", "-c"],
  none: undefined,
};

interface Written {
  readonly stored: Buffer;
  readonly archive: SeekArchive;
  readonly tableBytes: number;
  readonly newMembers: number;
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
}

await withSample(async (path) => {
  const size = statSync(path).size;
  const pool = createCodecPool();
  console.log(
    `${describeMachine()}; ${(size / 1e6).toFixed(0)} MB of tar; ${pool.workers} workers; median of ${RUNS} runs\n`,
  );
  const writing: string[][] = [];
  const reading: string[][] = [];
  for (const codec of ["gzip", "zstd", "none"] as const) {
    const [written, alone] = await mediansOf(
      async () => await write(path, codec, pool),
      async () => await compressAlone(path, codec, pool),
    );
    const peer = PEERS[codec] === undefined ? size : peerSize(PEERS[codec], path);
    writing.push([
      `${codec} ${DEFAULT_LEVELS[codec]}`,
      megabytesPerSecond(size, written.milliseconds),
      megabytesPerSecond(size, written.cpuMilliseconds),
      megabytesPerSecond(size, alone.milliseconds),
      megabytesPerSecond(size, alone.cpuMilliseconds),
      percent(alone.milliseconds, written.milliseconds),
      percent(alone.cpuMilliseconds, written.cpuMilliseconds),
      `${(written.stored.length / 1e6).toFixed(1)} MB`,
      `${((written.stored.length / peer - 1) * 100).toFixed(2)} %`,
      percent(written.tableBytes, size),
      String(written.archive.members.length),
    ]);
    const again = await medianOf(async () => await write(path, codec, pool, written.archive));
    const read = await medianOf(async () => await readAll(written, pool));
    const extracted = await medianOf(async () => await extract(written, pool));
    reading.push([
      codec,
      megabytesPerSecond(size, read.milliseconds),
      megabytesPerSecond(size, extracted.milliseconds),
      megabytesPerSecond(size, again.milliseconds),
      String(again.newMembers),
    ]);
  }
  printTable(
    [
      "write",
      "rate",
      "per CPU second",
      "compress and hash alone",
      "per CPU second",
      "of that",
      "by CPU time",
      "stored",
      "over gzip -6 / zstd -3",
      "table",
      "members",
    ],
    writing,
  );
  printTable(["read", "in order", "extract, no sync", "incremental, nothing new", "new members"], reading);
  await pool.close();
});

async function write(path: string, codec: Codec, pool: CodecPool, earlier?: SeekArchive): Promise<Written> {
  const frames: Buffer[] = [];
  const index = new DigestIndex();
  if (earlier !== undefined) index.addTable({ chunkBytes: DEFAULT_CHUNK_BYTES, archives: [earlier] });
  const table = new SeekTableWriter({ chunkBytes: DEFAULT_CHUNK_BYTES, sink: (frame) => void frames.push(frame) });
  const start = performance.now();
  const cpu = process.cpuUsage();
  const run = writeSeekableTar({
    source: readPieces(path),
    name: "sample",
    objectKey: "sample",
    codec,
    table,
    pool,
    resolveExisting: earlier === undefined ? undefined : (sha256, length) => index.find(sha256, length),
  });
  const stored: Buffer[] = [];
  for await (const piece of run.body) stored.push(piece);
  const summary = await table.end();
  const milliseconds = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const bytes = Buffer.concat(frames);
  const { archives } = await readSeekTable({
    name: "table",
    frames: summary.frames,
    fetch: async (offset, length) => await Promise.resolve(bytes.subarray(offset, offset + length)),
  });
  const [archive] = archives;
  if (archive === undefined) throw new Error("the table has no archive");
  return {
    stored: Buffer.concat(stored),
    archive,
    tableBytes: summary.storedBytes,
    newMembers: run.summary().newMembers,
    milliseconds,
    cpuMilliseconds: (user + system) / 1000,
  };
}

/** What the same workers reach when nobody parses, cuts, orders or describes anything. */
async function compressAlone(
  path: string,
  codec: Codec,
  pool: CodecPool,
): Promise<{ milliseconds: number; cpuMilliseconds: number }> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const compress = async (chunk: Buffer): Promise<unknown> => await pool.compress(codec, chunk, { transfer: true });
  for await (const member of mapOrdered(copies(readPieces(path, DEFAULT_CHUNK_BYTES)), compress, {
    maxItems: pool.workers * 3,
  }))
    void member;
  const { user, system } = process.cpuUsage(cpu);
  return { milliseconds: performance.now() - start, cpuMilliseconds: (user + system) / 1000 };
}

function* copies(pieces: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  for (const piece of pieces) {
    const copy = Buffer.allocUnsafeSlow(piece.length);
    piece.copy(copy);
    yield copy;
  }
}

function fetchFrom(stored: Buffer): ReadOptions["fetch"] {
  return async (_object, offset, length) => await Promise.resolve(stored.subarray(offset, offset + length));
}

async function readAll({ stored, archive }: Written, pool: CodecPool): Promise<{ milliseconds: number }> {
  const start = performance.now();
  for await (const piece of readArchive(archive, { fetch: fetchFrom(stored), pool })) void piece;
  return { milliseconds: performance.now() - start };
}

async function extract({ stored, archive }: Written, pool: CodecPool): Promise<{ milliseconds: number }> {
  const targetDir = mkdtempSync(join(tmpdir(), "soar-bench-extract-"));
  const start = performance.now();
  await extractArchive(archive, { fetch: fetchFrom(stored), pool, targetDir, sync: false });
  const milliseconds = performance.now() - start;
  rmSync(targetDir, { recursive: true });
  return { milliseconds };
}

function peerSize([command = "", ...args]: readonly string[], path: string): number {
  const run = spawnSync("sh", ["-c", '"$@" < "$0" | wc -c', path, command, ...args]);
  return Number(run.stdout.toString());
}

/** Takes turns, so that whatever else the machine does hits both alike. */
async function mediansOf<A extends { milliseconds: number }, B extends { milliseconds: number }>(
  first: () => Promise<A>,
  second: () => Promise<B>,
): Promise<[A, B]> {
  const firsts: A[] = [];
  const seconds: B[] = [];
  for (let turn = 0; turn < RUNS; turn++) {
    firsts.push(await first());
    seconds.push(await second());
  }
  return [median(firsts), median(seconds)];
}

async function medianOf<Run extends { milliseconds: number }>(run: () => Promise<Run>): Promise<Run> {
  const runs: Run[] = [];
  for (let turn = 0; turn < RUNS; turn++) runs.push(await run());
  return median(runs);
}

function median<Run extends { milliseconds: number }>(runs: Run[]): Run {
  const [middle] = runs.sort((a, b) => a.milliseconds - b.milliseconds).slice(Math.floor(runs.length / 2));
  if (middle === undefined) throw new Error("nothing was measured");
  return middle;
}
