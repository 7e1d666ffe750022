// Sizes and rates by codec, level and chunk size, on one core: `node --conditions=soar-source bench/codecs.ts [FILE.tar]`.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { type Codec, compressMemberSync, decompressMemberSync } from "@soar/seekable-tar";
import { describeMachine, megabytesPerSecond, printTable, readPieces, withSample } from "./sample.ts";

const KIB = 1024;
const CHUNKS = [128 * KIB, 256 * KIB, 512 * KIB, 1024 * KIB];
const CANDIDATES: readonly (readonly [Codec, readonly number[], readonly string[]])[] = [
  ["gzip", [1, 4, 5, 6], ["gzip", "-6", "-c"]],
  ["zstd", [1, 2, 3, 4], ["zstd", "-3", "-q", "-c"]],
];

await withSample(async (path) => {
  const size = statSync(path).size;
  console.log(`${describeMachine()}; ${(size / 1e6).toFixed(0)} MB of tar; one core; CPU time\n`);
  for (const [codec, levels, [command = "", ...args]] of CANDIDATES) {
    const peer = Number(spawnSync("sh", ["-c", '"$@" < "$0" | wc -c', path, command, ...args]).stdout.toString());
    const rows = CHUNKS.flatMap((chunk) => levels.map((level) => measure(path, codec, level, chunk, peer)));
    printTable([codec, "chunk", "compress", "decompress", "stored", `over ${command} ${args[0]}`], rows);
  }
  const hashing = timed(() => {
    for (const piece of readPieces(path, CHUNKS[1])) createHash("sha256").update(piece).digest();
  });
  console.log(`SHA-256: ${megabytesPerSecond(size, hashing)}`);
  await Promise.resolve();
});

function measure(path: string, codec: Codec, level: number, chunk: number, peer: number): string[] {
  const totals = { plain: 0, stored: 0, compress: 0, decompress: 0 };
  for (const piece of readPieces(path, chunk)) {
    let stored = piece;
    totals.compress += timed(() => void (stored = compressMemberSync(codec, piece, { level })));
    totals.decompress += timed(() => void decompressMemberSync(codec, stored, piece.length));
    totals.plain += piece.length;
    totals.stored += stored.length;
  }
  return [
    `level ${level}`,
    `${chunk / KIB} KiB`,
    megabytesPerSecond(totals.plain, totals.compress),
    megabytesPerSecond(totals.plain, totals.decompress),
    `${(totals.stored / 1e6).toFixed(1)} MB`,
    `${((totals.stored / peer - 1) * 100).toFixed(2)} %`,
  ];
}

/** Milliseconds of processor time of this thread; a busy machine does not change them much. */
function timed(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
