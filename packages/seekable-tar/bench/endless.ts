// Memory and table of a very large archive that is thrown away: `node --conditions=soar-source bench/endless.ts [GIGABYTES]`.
import { createCodecPool, DEFAULT_CHUNK_BYTES, SeekTableWriter, writeSeekableTar } from "@soar/seekable-tar";
import { Header } from "tar/header";
import { describeMachine, megabytesPerSecond, percent } from "./sample.ts";

const gigabytes = Number(process.argv[2] ?? 20);
const SEGMENT_BYTES = 1024 ** 3;
const PIECE_BYTES = 64 * 1024;

/** Files of 1 GiB, as PostgreSQL cuts large tables, of pages that differ and compress well, so that the bench is quick. */
function* endlessTar(): Generator<Buffer, void, undefined> {
  const piece = Buffer.alloc(PIECE_BYTES, "page of an endless table ");
  for (let file = 0; file < gigabytes; file++) {
    const block = Buffer.alloc(512);
    new Header({
      path: `base/16384/${16_384 + file}`,
      type: "File",
      size: SEGMENT_BYTES,
      mode: 0o600,
      mtime: new Date(0),
      uid: 26,
      gid: 26,
    }).encode(block);
    yield block;
    for (let at = 0; at < SEGMENT_BYTES; at += PIECE_BYTES) {
      piece.writeUInt32LE(file, 0);
      piece.writeUInt32LE(at, 4);
      yield piece;
    }
  }
  yield Buffer.alloc(1024);
}

let peak = 0;
const pool = createCodecPool();
const table = new SeekTableWriter({ chunkBytes: DEFAULT_CHUNK_BYTES, sink: () => undefined });
const start = performance.now();
const write = writeSeekableTar({
  source: endlessTar(),
  name: "endless",
  objectKey: "endless.tar.zst",
  codec: "zstd",
  table,
  pool,
  onProgress: ({ plainBytes }) => {
    if (plainBytes % (64 * DEFAULT_CHUNK_BYTES) < DEFAULT_CHUNK_BYTES) peak = Math.max(peak, process.memoryUsage.rss());
  },
});
for await (const stored of write.body) void stored;
const { members, storedBytes } = await table.end();
const { plainBytes } = write.summary();
console.log(describeMachine());
console.log(
  `${(plainBytes / 1e9).toFixed(1)} GB in ${members} members at ${megabytesPerSecond(plainBytes, performance.now() - start)}; table ${(storedBytes / 1e6).toFixed(2)} MB (${percent(storedBytes, plainBytes)}); peak memory ${(peak / 1e6).toFixed(0)} MB`,
);
await pool.close();
