import { SoarError } from "@soar/errors";
import { readCString } from "./backend-messages.ts";
import type { DamageReport } from "./damaged-pages.ts";
import { MESSAGE } from "./frame-parser.ts";
import { type CopyFrame, type ResultReader, unexpected } from "./result-reader.ts";
import { factOf, LOST_HINT } from "./server-failure.ts";

/** One tablespace of a backup; the main data directory has neither oid nor location. */
export interface BackupTablespace {
  readonly oid: number | undefined;
  /** Path of the directory on the server. */
  readonly location: string | undefined;
  /** The server's estimate before it starts. */
  readonly estimatedBytes: number | undefined;
}

export type BaseBackupEvent =
  | {
      readonly type: "start";
      readonly startLsn: bigint;
      readonly timeline: number;
      readonly tablespaces: readonly BackupTablespace[];
    }
  /** A tar archive begins: `base.tar`, or `<oid>.tar` for a tablespace. */
  | {
      readonly type: "archive";
      readonly name: string;
      readonly oid: number | undefined;
      readonly location: string | undefined;
    }
  /** Bytes of the current archive. The buffer is never written to again, so it may be kept. */
  | { readonly type: "data"; readonly chunk: Buffer }
  | { readonly type: "archive-end" }
  /** Bytes of backup_manifest; it comes after all archives. */
  | { readonly type: "manifest"; readonly chunk: Buffer }
  /** Bytes of all archives that the server has read so far, to be compared with the estimates. */
  | { readonly type: "progress"; readonly done: number }
  /** Everything has arrived. With `damaged` the server found pages with wrong checksums: the backup is whole all the same. */
  | {
      readonly type: "end";
      readonly stopLsn: bigint;
      readonly timeline: number;
      readonly damaged: DamageReport | undefined;
      /** What else the server warned of. */
      readonly warnings: readonly string[];
    };

/** First byte of a CopyData message in a base backup (PostgreSQL documentation, BASE_BACKUP). */
const KIND = { newArchive: 0x6e, manifest: 0x6d, data: 0x64, progress: 0x70 } as const;

/** Reads the copy stream of BASE_BACKUP up to its CopyDone. Data is passed on in the pieces in which it came. */
export async function* readArchiveStream(results: ResultReader): AsyncGenerator<BaseBackupEvent, void, undefined> {
  let target: "none" | "archive" | "manifest" = "none";
  for (;;) {
    const frame = await results.next();
    if (frame.kind === "message" && frame.type === MESSAGE.copyDone) break;
    if (frame.kind === "message")
      throw unexpected(
        frame,
        (failure) =>
          new SoarError("BACKUP_INCOMPLETE", `unable to finish the base backup: ${factOf(failure)}`, {
            hint: failure.hint ?? LOST_HINT,
          }),
      );
    const kind = frame.body[0];
    if (kind === KIND.data) {
      yield* readData(results, frame, target);
      continue;
    }
    const body = await results.wholeCopy(frame);
    if (kind === KIND.progress) {
      yield { type: "progress", done: Number(body.readBigInt64BE(1)) };
      continue;
    }
    if (target === "archive") yield { type: "archive-end" };
    if (kind === KIND.newArchive) yield archiveEvent(body);
    else if (kind !== KIND.manifest)
      throw new SoarError("SERVER_FAILED", `unable to read the base backup: unknown message kind ${kind}`);
    target = kind === KIND.manifest ? "manifest" : "archive";
  }
  if (target === "archive") yield { type: "archive-end" };
}

async function* readData(
  results: ResultReader,
  first: CopyFrame,
  target: "none" | "archive" | "manifest",
): AsyncGenerator<BaseBackupEvent, void, undefined> {
  if (target === "none")
    throw new SoarError("SERVER_FAILED", "unable to read the base backup: data came before the first archive");
  const type = target === "archive" ? "data" : "manifest";
  for await (const chunk of results.copyPieces({ ...first, body: first.body.subarray(1) }))
    if (chunk.length > 0) yield { type, chunk };
}

function archiveEvent(body: Buffer): BaseBackupEvent {
  const { text: name, next } = readCString(body, 1);
  const location = readCString(body, next).text;
  const oid = /^(\d+)\.tar$/.exec(name)?.[1];
  return {
    type: "archive",
    name,
    oid: oid === undefined ? undefined : Number(oid),
    location: location === "" ? undefined : location,
  };
}
