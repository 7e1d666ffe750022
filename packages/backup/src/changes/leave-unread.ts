import type { BackupRecord } from "@soar/repository";
import type { MemberLocation } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
import type { UnreadChunks } from "../source/backup-source.ts";
import type { BaseChunks } from "./base-chunks.ts";
import { findUnchanged, type FindUnchangedOptions } from "./find-unchanged.ts";

/** What an incremental is based on. */
export interface ChangesBase {
  /** The backup since which changes are known. */
  readonly base: BackupRecord;
  /** Taken since the last full one. */
  readonly incrementals: number;
  readonly chunks: BaseChunks;
  readonly members: {
    /** Told of every member that is referred to. */
    refer(member: MemberLocation): void;
  };
}

export interface LeaveUnreadOptions extends Omit<FindUnchangedOptions, "base" | "chunks" | "compareShare"> {
  /** See `TakeBackupOptions`. */
  readonly compareShare?: number | undefined;
  readonly compareEvery?: number | undefined;
}

/** Of the chunks that need not be read: each time, other ones. */
const COMPARE_SHARE = 0.02;

/** What of an incremental need not be read, with a count of the bytes that were not; undefined when all has to be. */
export async function leaveUnread(
  store: ObjectStore,
  { base, incrementals, chunks, members }: ChangesBase,
  { compareEvery = 0, ...options }: LeaveUnreadOptions,
): Promise<(UnreadChunks & { readonly bytes: () => number }) | undefined> {
  const comparesAll = compareEvery > 0 && (incrementals + 1) % compareEvery === 0;
  const { compareShare = comparesAll ? 1 : COMPARE_SHARE } = options;
  const unchanged = await findUnchanged(store, { ...options, base, chunks, compareShare });
  if (unchanged === undefined) return undefined;
  let bytes = 0;
  return {
    find(path, position, length) {
      const found = unchanged.find(path, position, length);
      if (found === undefined) return undefined;
      members.refer(found);
      bytes += length;
      return found;
    },
    bytes: () => bytes,
  };
}
