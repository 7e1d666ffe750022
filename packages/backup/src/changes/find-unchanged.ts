import { hasErrorCode } from "@soar/errors";
import type { Lsn } from "@soar/pg-tools";
import type { ServerFacts } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import type { CodecPool } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { LocalServer } from "../source/backup-source.ts";
import type { BaseChunks } from "./base-chunks.ts";
import { compareChunks } from "./compare-chunks.ts";
import { readChanges } from "./read-changes.ts";
import { UnchangedChunks } from "./unchanged-chunks.ts";

export interface FindUnchangedOptions extends CallOptions {
  readonly base: BackupRecord;
  readonly chunks: BaseChunks;
  readonly running: {
    readonly startLsn: Lsn;
    readonly startTimeline: number;
    readonly local?: LocalServer | undefined;
  };
  readonly facts: Pick<ServerFacts, "dataChecksums" | "inRecovery">;
  readonly pool: CodecPool;
  /** Of the chunks that need not be read, 0 to 1: how many are, to be compared. */
  readonly compareShare: number;
  readonly onEvent?: ((event: ChangesEvent) => void) | undefined;
}

export type ChangesEvent =
  /** What changed since the base is known from this many segments of WAL; chunks that were read all the same had not. */
  | { readonly type: "changes-known"; readonly base: string; readonly segments: number; readonly compared: number }
  /** Every file is read. */
  | { readonly type: "changes-unknown"; readonly base: string; readonly reason: string }
  /** An alarm: a block changed of which WAL says that it did not. Every file is read. */
  | { readonly type: "changes-wrong"; readonly base: string; readonly path: string; readonly block: number };

/** What cannot be read, or is damaged, is a reason to read the cluster, and none to fail. */
const REASONS = [
  "REPOSITORY_DAMAGED",
  "REPOSITORY_VERSION",
  "WAL_INVALID",
  "WAL_NAME_INVALID",
  "OBJECT_MISSING",
  "FORMAT_INVALID",
  "FILE_UNREADABLE",
] as const;

/** Finds what an incremental backup need not read; undefined when that is not proved, and everything has to be. */
export async function findUnchanged(
  store: ObjectStore,
  options: FindUnchangedOptions,
): Promise<UnchangedChunks | undefined> {
  const { base, running, onEvent } = options;
  if (running.local === undefined) return undefined;
  let reason: string;
  try {
    const found = await prove(store, running.local, options);
    if (found.type !== "changes-unknown") {
      const { unchanged, ...event } = found;
      onEvent?.({ ...event, base: base.label });
      return unchanged;
    }
    ({ reason } = found);
  } catch (error) {
    if (!hasErrorCode(error, ...REASONS)) throw error;
    reason = error.message;
  }
  onEvent?.({ type: "changes-unknown", base: base.label, reason });
  return undefined;
}

type Proof =
  | { type: "changes-unknown"; reason: string; unchanged?: undefined }
  | { type: "changes-wrong"; path: string; block: number; unchanged: undefined }
  | { type: "changes-known"; segments: number; compared: number; unchanged: UnchangedChunks };

async function prove(
  store: ObjectStore,
  local: LocalServer,
  { base, chunks, running, facts, pool, compareShare, signal }: FindUnchangedOptions,
): Promise<Proof> {
  const { startLsn, startTimeline } = running;
  const unknown = (reason: string): Proof => ({ type: "changes-unknown", reason });
  // pg_checksums rewrites every page without WAL.
  if (base.dataChecksums !== facts.dataChecksums)
    return unknown(`data checksums were ${base.dataChecksums ? "on" : "off"} when it was taken`);
  const openLocal: LocalServer["openWal"] = (name) => local.openWal(name);
  const known = await readChanges(store, { base, startLsn, startTimeline, openLocal, signal });
  if (known.changed === undefined) return unknown(known.reason);
  const unchanged = new UnchangedChunks(chunks, known.changed, local.control);
  const { compared, difference } = await compareChunks(store, unchanged, {
    openFile: (path) => local.openFile(path),
    pace: (bytes) => local.pace(bytes),
    control: local.control,
    startLsn,
    pool,
    share: compareShare,
    signal,
  });
  if (difference === undefined) return { type: "changes-known", segments: known.segments, compared, unchanged };
  const { path, block } = difference;
  // A standby gives a page the position of whatever it replays; the server that wrote it may leave an older one there.
  if (base.timeline !== startTimeline || base.source.fromStandby || facts.inRecovery)
    return unknown(`block ${block} of '${path}' is another one, and it may have been taken of another server`);
  return { type: "changes-wrong", path, block, unchanged: undefined };
}
