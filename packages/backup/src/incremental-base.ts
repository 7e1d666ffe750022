import { SoarError } from "@soar/errors";
import { compareLsn, parseLsn } from "@soar/pg-tools";
import {
  listBackupDirectories,
  parseBackupKey,
  readBackupTableRows,
  requireBackupRecord,
  tableOf,
  type BackupRecord,
} from "@soar/repository";
import { DEFAULT_CHUNK_BYTES, DigestIndex, type Codec, type MemberLocation, type MemberRow } from "@soar/seekable-tar";
import { DigestFilter } from "@soar/seekable-tar/members";
import { ageAt } from "@soar/repository/time";
import { type CallOptions, type ObjectStore } from "@soar/storage";
import { BaseChunks } from "./changes/base-chunks.ts";
import type { ExistingMembers } from "./source/backup-source.ts";

export interface ChooseBaseOptions extends CallOptions {
  readonly now: Date;
  /** A full backup is due when the one that everything refers to is older than this, in milliseconds. */
  readonly fullEveryMs: number;
}

/** The backup whose unchanged chunks are referred to, or why there is none and the backup has to be a full one. */
export type BaseChoice =
  | {
      readonly base: BackupRecord;
      readonly references: readonly string[];
      /** Taken since the last full one. */
      readonly incrementals: number;
    }
  | { readonly base: undefined; readonly reason: string };

/** An earlier backup whose chunks are referred to. */
export type ChosenBase = Extract<BaseChoice, { base: BackupRecord }>;

/**
 * Old objects stay for as long as one chunk of them is needed. When less than this share of their bytes still is, a full
 * backup costs less storage than what it lets go of.
 */
const LEAST_NEEDED_SHARE = 0.5;

interface EndedBackup {
  readonly record: BackupRecord;
  /** As far as that is proved; its host's clock may have been wrong. */
  readonly endedAt: Date;
}

/** Chooses the newest complete backup. Chunks are recognised by digest, so its timeline and codec do not matter. */
export async function chooseBase(
  store: ObjectStore,
  { now, fullEveryMs, signal }: ChooseBaseOptions,
): Promise<BaseChoice> {
  const backups = await listEndedBackups(store, { signal });
  const base = backups.at(-1)?.record;
  if (base === undefined) return { base: undefined, reason: "there is no backup to refer to yet" };
  if (base.chunkSize !== DEFAULT_CHUNK_BYTES)
    return { base: undefined, reason: `backup ${base.label} was cut into chunks of another size` };
  const references = [base.label, ...base.references];
  const chain = backups.filter(({ record }) => references.includes(record.label));
  if (chain.length < references.length)
    return { base: undefined, reason: `a backup that ${base.label} refers to is gone` };
  const ages = chain.flatMap(({ record, endedAt }) => (record.kind === "full" ? [ageAt(now, endedAt)] : []));
  if (Math.max(...ages) >= fullEveryMs - toleranceOf(fullEveryMs))
    return { base: undefined, reason: "the last full backup is old enough for a new one" };
  if (Math.min(...ages) < 0)
    return {
      base: undefined,
      reason: "the last full backup ended in the future of the clock, so that its age is not known",
    };
  const incrementals = backups.length - 1 - backups.findLastIndex(({ record }) => record.kind === "full");
  return { base, references, incrementals };
}

/** The complete ones, oldest first. */
async function listEndedBackups(store: ObjectStore, options: CallOptions): Promise<EndedBackup[]> {
  const ended = (await listBackupDirectories(store, options)).flatMap(({ record, endedAt }) =>
    record === undefined || endedAt === undefined ? [] : [{ record, endedAt }],
  );
  return ended.sort(
    (a, b) =>
      a.endedAt.getTime() - b.endedAt.getTime() || compareLsn(parseLsn(a.record.stopLsn), parseLsn(b.record.stopLsn)),
  );
}

const LONGEST_TOLERANCE_MS = 12 * 3600_000;

/** A timer is never exact: a full backup that is due every 28 days must not wait for a fifth week because of a second. */
function toleranceOf(fullEveryMs: number): number {
  return Math.min(LONGEST_TOLERANCE_MS, fullEveryMs / 20);
}

/** What an earlier backup holds or refers to, by digest, and by place; or why it is not referred to. */
export type LoadedBase =
  | { readonly index: DigestIndex; readonly chunks: BaseChunks; readonly reason?: undefined }
  | { readonly reason: string };

/** Of a cluster of 64 TiB. Chunks of zeros are all one, so that a table of a few megabytes may name any number. */
const MOST_MEMBERS = 2 ** 26;

/**
 * Reads the digests of everything that the base holds or refers to, with some 80 bytes of memory per chunk. Called when
 * `started.json` protects the references already: what expiry removed before then is missed here. Gives a reason when too
 * little of the old objects is still needed, or when there are more chunks than can be kept in mind.
 */
export async function loadBase(
  store: ObjectStore,
  { base, references }: ChosenBase,
  { signal, mostMembers = MOST_MEMBERS }: CallOptions & { readonly mostMembers?: number },
): Promise<LoadedBase> {
  const chain = await requireReferences(store, references, { signal });
  const index = new DigestIndex();
  const chunks = new BaseChunks(index);
  const objects: { key: string; codec: Codec }[] = [];
  let needed = 0;
  for await (const rows of readBackupTableRows(store, tableOf(base), { signal })) {
    for (const row of rows) {
      if (row.kind === "object") objects.push(row);
      if (row.kind === "archive") chunks.beginArchive(row.name);
      if (row.kind === "entry") chunks.addEntry(row.entry);
      const object = row.kind === "member" ? objects[row.object] : undefined;
      if (row.kind !== "member") continue;
      if (object === undefined)
        throw new SoarError(
          "REPOSITORY_DAMAGED",
          `the seek table of backup '${base.label}' has no object ${row.object}`,
          {
            hint: "Take a full backup: soar-base-backup take.",
          },
        );
      if (chunks.memberCount >= mostMembers)
        return { reason: `backup ${base.label} has more than ${mostMembers} chunks` };
      needed += row.storedLength;
      chunks.addMember(locationOf(row, object));
    }
  }
  const held = chain.flatMap(({ archives }) => archives).reduce((sum, { stored }) => sum + stored, 0);
  // What was damaged then is looked at again, and told again if it still is.
  for (const { path } of base.damagedPages) chunks.forgetDamaged(path, base.tablespaces);
  if (base.omitted?.damagedPages !== undefined) chunks.forgetAll();
  if (needed < held * LEAST_NEEDED_SHARE) return { reason: "too little of the earlier backups is still needed" };
  return { index, chunks };
}

function locationOf(row: MemberRow, { key, codec }: { readonly key: string; readonly codec: Codec }): MemberLocation {
  const { offset, storedLength, plainLength, sha256, crc32c, storedDigest } = row;
  return { object: key, codec, offset, storedLength, plainLength, sha256, crc32c, storedDigest };
}

/** Rejects with `BACKUP_MISSING` when one of them was removed meanwhile. */
export async function requireReferences(
  store: ObjectStore,
  references: readonly string[],
  options: CallOptions,
): Promise<BackupRecord[]> {
  return Promise.all(references.map((label) => requireBackupRecord(store, label, options)));
}

export interface TrackedMembers extends ExistingMembers {
  /** Counts a member that was found in another way as referred to. */
  refer(member: MemberLocation): void;
  readonly labels: () => string[];
}

/** Remembers which backups an incremental really refers to. */
export function trackReferences(index: DigestIndex): TrackedMembers {
  const labels = new Set<string>();
  const refer = ({ object }: MemberLocation): void => {
    const label = parseBackupKey(object)?.label;
    if (label !== undefined) labels.add(label);
  };
  let digests: DigestFilter | undefined;
  return {
    get digests() {
      return (digests ??= DigestFilter.of(index.digests(), index.size));
    },
    find(sha256, plainLength) {
      const found = index.find(sha256, plainLength);
      if (found !== undefined) refer(found);
      return found;
    },
    refer,
    labels: () => [...labels].toSorted(),
  };
}
