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
  readonly facts: Pick<ServerFacts, "dataChecksums" | "settings">;
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

/** Finds what an incremental backup need not read; undefined when that is not proved, and everything has to be. */
export async function findUnchanged(
  store: ObjectStore,
  { base, chunks, running, facts, pool, compareShare, signal, onEvent }: FindUnchangedOptions,
): Promise<UnchangedChunks | undefined> {
  const { startLsn, startTimeline, local } = running;
  const unknown = (reason: string): undefined => {
    onEvent?.({ type: "changes-unknown", base: base.label, reason });
    return undefined;
  };
  if (local === undefined) return undefined;
  // pg_checksums rewrites every page without WAL.
  if (base.dataChecksums !== facts.dataChecksums)
    return unknown(`data checksums were ${base.dataChecksums ? "on" : "off"} when it was taken`);
  const known = await readChanges(store, {
    base,
    startLsn,
    startTimeline,
    openLocal: (name) => local.openWal(name),
    signal,
  });
  if (known.changed === undefined) return unknown(known.reason);
  const unchanged = new UnchangedChunks(chunks, known.changed, local.control);
  const { compared, difference } = await compareChunks(store, unchanged, {
    openFile: (path) => local.openFile(path),
    blockSize: local.control.blockSize,
    startLsn,
    hintsAreLogged: facts.dataChecksums || facts.settings["wal_log_hints"] === "on",
    pool,
    share: compareShare,
    signal,
  });
  if (difference !== undefined) {
    onEvent?.({ type: "changes-wrong", base: base.label, ...difference });
    return undefined;
  }
  onEvent?.({ type: "changes-known", base: base.label, segments: known.segments, compared });
  return unchanged;
}
