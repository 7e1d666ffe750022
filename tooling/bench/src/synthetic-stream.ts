// Memory, parts and table of a backup of any size: `node --conditions=soar-source src/synthetic-stream.ts [--json] [GIGABYTES [OF]]`,
// where OF is the size that parts are made for, when only the beginning of such a stream is to be run.
import { randomFillSync } from "node:crypto";
import { createCodecPool, DEFAULT_CHUNK_BYTES, SeekTableWriter, writeSeekableTar } from "@soar/seekable-tar";
import { createMemoryStore, objectSizesFor, uploadStream, type MultipartUpload, type ObjectStore } from "@soar/storage";
import { Header } from "tar";

const GIB = 1024 ** 3;
const isJson = process.argv.includes("--json");
const [first = "200", second = first] = process.argv.slice(2).filter((word) => word !== "--json");
const [gigabytes, of] = [Number(first), Number(second)];
const counted = { parts: 0, bytes: 0, largestPart: 0 };

/** Takes parts, counts them, and forgets them. */
function countingStore(): ObjectStore {
  const store = createMemoryStore({ features: { minPartSize: 5 * 1024 ** 2 } });
  return {
    ...store,
    beginMultipart: (key, { partSize }) => Promise.resolve(countingUpload(key, partSize)),
  };
}

function countingUpload(key: string, partSize: number): MultipartUpload {
  return {
    key,
    partSize,
    putPart(_, body) {
      counted.parts += 1;
      counted.bytes += body.byteLength;
      counted.largestPart = Math.max(counted.largestPart, body.byteLength);
      return Promise.resolve();
    },
    complete: () =>
      Promise.resolve({ key, size: counted.bytes, modifiedAt: new Date(), etag: undefined, storageClass: undefined }),
    abort: () => Promise.resolve(),
  };
}

/** Files of 1 GiB, as PostgreSQL cuts relations. Every chunk differs in its first bytes, so that none repeats. */
async function* syntheticTar(gib: number): AsyncGenerator<Buffer> {
  const block = randomFillSync(Buffer.alloc(1024 * 1024));
  for (let file = 0; file < gib; file += 1) {
    const head = Buffer.alloc(512);
    new Header({
      path: `base/16384/${20_000 + file}`,
      mode: 0o600,
      size: GIB,
      mtime: new Date(0),
      type: "File",
    }).encode(head, 0);
    yield head;
    for (let at = 0; at < 1024; at += 1) {
      block.writeUInt32LE(file, 0);
      block.writeUInt32LE(at, 4);
      yield block;
    }
  }
  yield Buffer.alloc(1024);
}

const gib = Math.round((gigabytes * 1e9) / GIB);
const expectedSize = Math.ceil(of * 1e9 * 1.1 + GIB);
const sizes = objectSizesFor(expectedSize, countingStore().features);
let objects = 0;
let tableBytes = 0;
let peak = 0;
const sampler = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 100);
const pool = createCodecPool();
const store = countingStore();
const table = new SeekTableWriter({
  chunkBytes: DEFAULT_CHUNK_BYTES,
  sink: (frame) => void (tableBytes += frame.length),
});
const start = performance.now();
const write = writeSeekableTar({
  source: syntheticTar(gib),
  name: "base",
  objectKey: "base/x/backup.tar",
  further: { bytes: sizes.objectBytes, keyOf: (number) => `base/x/backup-${number}.tar` },
  codec: "none",
  table,
  pool,
  releaseBody: true,
});
for await (const { key, body } of write.objects()) {
  objects += 1;
  await uploadStream(store, key, body, { expectedSize, partSize: sizes.partSize });
}
const summary = await table.end();
const seconds = (performance.now() - start) / 1000;
clearInterval(sampler);
await pool.close();

peak = Math.max(peak, process.resourceUsage().maxRSS * 1024);
if (isJson) {
  const { parts } = counted;
  // Of the whole stream, of which only the beginning may have run.
  objects = Math.max(objects, Math.ceil((of * 1e9) / sizes.objectBytes));
  const shape = {
    partSize: sizes.partSize,
    partsAtOnce: 4,
    parts,
    objects,
    table: tableBytes,
    members: summary.members,
  };
  const ran = write.summary().plainBytes / 1e9;
  console.log(JSON.stringify({ gigabytes: of, ran, seconds, peak, ...shape }));
} else tell();

function tell(): void {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(
    `${(write.summary().plainBytes / 1e9).toFixed(1)} GB in ${seconds.toFixed(0)} s (${megabytes(write.summary().plainBytes / seconds)}/s, uncompressed, hashed)`,
  );
  console.log(
    `peak memory ${megabytes(peak)}; ${counted.parts} parts of up to ${megabytes(counted.largestPart)} (asked for ${megabytes(sizes.partSize)}), ${objects} objects of up to ${megabytes(sizes.objectBytes)}`,
  );
  console.log(
    `${summary.members} members; seek table ${megabytes(tableBytes)}, ${((100 * tableBytes) / write.summary().plainBytes).toFixed(4)} % of the stream`,
  );
}
