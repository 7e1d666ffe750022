import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import { formatLsn, parseWalFileName } from "@soar/pg-tools";
import { createWalSummarizer, type WalSegmentSummary } from "@soar/pg-tools/wal-records";
import { getWalFile, type GetWalOptions, type WalDescription, type WalObject } from "@soar/repository/wal";
import { createMemoryStore, type ObjectBody, type ObjectStore, type StoredObject } from "@soar/storage";
import { free } from "@soar/task-pool";
import type { SegmentFacts } from "./verify-task.ts";

/**
 * Reads a WAL segment as it lies in the bucket and checks it by itself: its description, the digests of its plain and of its
 * stored bytes, size, the header of every page, and every record that lies in it whole. Rejects with `REPOSITORY_DAMAGED` or `WAL_INVALID`.
 */
export async function inspectSegment(
  store: ObjectStore,
  object: WalObject,
  options: GetWalOptions & { readonly wantsDigest: boolean },
): Promise<SegmentFacts> {
  const hash = options.wantsDigest ? createHash("sha256") : undefined;
  const summarizer = createWalSummarizer({ name: object.name });
  let plainBytes = 0;
  for await (const piece of getWalFile(store, object, { ...options, provesStored: true })) {
    plainBytes += piece.length;
    hash?.update(piece);
    summarizer.push(piece);
    free(piece);
  }
  const summary = summarizer.finish();
  if (parseWalFileName(object.name).kind === "segment") requireFilled(object, summary, plainBytes);
  return {
    sha256: hash?.digest("hex"),
    plainBytes,
    systemIdentifier: String(summary.systemIdentifier),
    isOpened: true,
  };
}

/** What an object says of its segment, once its stored bytes were proved; undefined when that is too little. */
export function provedFacts(description: WalDescription | undefined): SegmentFacts | undefined {
  const { sha256, size, sysid } = description ?? {};
  if (size === undefined || sysid === undefined) return undefined;
  return { sha256, plainBytes: size, systemIdentifier: sysid, isOpened: false };
}

/** A finished segment is WAL to its last byte, or to a switch record: recovery ends where it is not. */
function requireFilled({ name }: WalObject, { segmentSize, end }: WalSegmentSummary, plainBytes: number): void {
  if (plainBytes !== segmentSize) throw invalid(name, `it holds ${plainBytes} bytes, its header says ${segmentSize}`);
  if (end !== undefined) throw invalid(name, `recovery ends in it at ${formatLsn(end.lsn)}: ${end.fact}`);
}

function invalid(name: string, fact: string): SoarError {
  return new SoarError("WAL_INVALID", `'${name}' is no finished WAL segment: ${fact}`, {
    hint: "If the segment is still in pg_wal of the server, remove the object and archive it again. Else take a base backup now: nothing behind this segment can be restored with older ones.",
  });
}

/** A store that holds one object, whatever it is asked for. */
export function objectInMemory(location: string, bytes: Buffer): ObjectStore {
  const stored = (key: string): StoredObject => ({
    key,
    size: bytes.length,
    modifiedAt: new Date(0),
    etag: undefined,
    storageClass: undefined,
  });
  return {
    ...createMemoryStore(),
    location,
    get: (key) =>
      Promise.resolve<ObjectBody>({
        object: stored(key),
        offset: 0,
        length: bytes.length,
        [Symbol.asyncIterator]: () => once(bytes),
      }),
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
