import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { namesIfPresent, readTextIfPresent, replaceFile, statIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { parseJsonAs } from "@soar/repository";
import * as v from "valibot";

const FORMAT = 1;
const RECORD_NAME = "soar-kept.json";
const OWNER_HINT = "Run as the owner of the data directory or as root.";

/** What a restore leaves in a data directory that it keeps aside. Without it no command takes the directory for one that may be removed. */
export interface KeptRecord {
  readonly format: typeof FORMAT;
  /** Where it was. */
  readonly dataDir: string;
  /** Where it is. */
  readonly keptAs: string;
  readonly keptAt: string;
  /** What the restore that has kept it was asked for, in words; versions before did not note it. */
  readonly target?: string | undefined;
  /** Undefined when its pg_control could not be read. */
  readonly systemIdentifier: string | undefined;
  /** The inode of it, which a new name does not change; versions before did not note it. */
  readonly inode?: string | undefined;
  /** Directories outside of it that belong to it, and went aside with it. */
  readonly moved: readonly MovedDirectory[];
  /** When the restore that has kept it was over: what a later one tells to have kept is not this. */
  readonly restoredAt?: string | undefined;
}

/** Of the run that has put an old data directory aside. */
export interface KeptEarlier {
  readonly at: string;
  /** What it was asked for, in words, where that was noted. */
  readonly target: string | undefined;
}

export interface MovedDirectory {
  /** The symbolic link that leads to it, relative to the data directory. */
  readonly link: string;
  readonly from: string;
  readonly to: string;
  /** The inode of the directory, which a new name does not change; versions before did not note it. */
  readonly inode?: string | undefined;
}

const inodeText = v.pipe(v.string(), v.regex(/^\d{1,20}$/));

const recordSchema: v.GenericSchema<unknown, KeptRecord> = v.object({
  format: v.literal(FORMAT),
  dataDir: v.string(),
  keptAs: v.string(),
  keptAt: v.string(),
  target: v.optional(v.string()),
  // JSON leaves it out where it is not known.
  systemIdentifier: v.optional(v.string(), () => undefined),
  inode: v.optional(inodeText),
  moved: v.array(v.object({ link: v.string(), from: v.string(), to: v.string(), inode: v.optional(inodeText) })),
  restoredAt: v.optional(v.string()),
});

/** What the name of everything that a restore keeps begins with. */
export function keptPrefix(path: string): string {
  return `${path}.before-restore-`;
}

export async function readKeptRecord(directory: string): Promise<KeptRecord | undefined> {
  const path = join(directory, RECORD_NAME);
  const text = await readTextIfPresent(path, { hint: OWNER_HINT, within: { base: directory } });
  if (text === undefined) return undefined;
  const record = parseJsonAs(recordSchema, text);
  if (record !== undefined) return record;
  throw new SoarError(
    "FORMAT_INVALID",
    `unable to read '${path}': it is not the record of a directory that a restore kept`,
    { hint: "Look at the directory yourself before anything is done with it." },
  );
}

/** The record of a directory that was kept of this data directory, or is being kept; undefined where somebody else wrote it. */
export async function readOwnKeptRecord(directory: string, dataDir: string): Promise<KeptRecord | undefined> {
  const record = await readKeptRecord(directory);
  return record !== undefined && isOurs(record, dataDir) ? record : undefined;
}

/** Of one run: it gave everything a name with the same stamp, beside where it was. */
function isOurs({ dataDir: of, keptAs, moved }: KeptRecord, dataDir: string): boolean {
  const stamp = keptAs.startsWith(keptPrefix(dataDir)) ? keptAs.slice(keptPrefix(dataDir).length) : "";
  return (
    of === dataDir &&
    /^\d{8}T\d{6}Z(?:-\d+)?$/.test(stamp) &&
    moved.every(
      ({ link, from, to }) =>
        /^(?:pg_wal|pg_tblspc\/\d+)$/.test(link) &&
        isAbsolute(from) &&
        resolve(from) === from &&
        to === keptPrefix(from) + stamp,
    )
  );
}

export async function writeKeptRecord(directory: string, record: KeptRecord): Promise<void> {
  // Without it nobody would know after a crash what the directory is.
  const options = { mode: 0o600, keepMode: true, sync: "directory", within: { base: directory } } as const;
  await replaceFile(join(directory, RECORD_NAME), `${JSON.stringify(record)}\n`, options);
}

export function keptRecordPath(directory: string): string {
  return join(directory, RECORD_NAME);
}

/** Directories beside a data directory that restores kept of it, oldest first. */
export async function listKept(dataDir: string): Promise<KeptRecord[]> {
  const found: KeptRecord[] = [];
  for (const path of await besides(keptPrefix(dataDir))) {
    const record = await readOwnKeptRecord(path, dataDir);
    // Its name says when it was kept; the record may be that of a copy elsewhere.
    if (record?.keptAs === path) found.push(record);
  }
  return found;
}

/**
 * What the restore that was interrupted in this data directory had kept, where it came to leave no record of its own; undefined
 * where the newest that was kept is that of a restore which is over.
 */
export async function findKeptByInterrupted(dataDir: string): Promise<string | undefined> {
  const newest = (await listKept(dataDir)).at(-1);
  return newest?.restoredAt === undefined ? newest?.keptAs : undefined;
}

/** What is known of the run that has kept it; undefined where nothing of this directory is kept there any more. */
export async function whenKept(dataDir: string, keptAs: string): Promise<KeptEarlier | undefined> {
  const record = (await listKept(dataDir)).find((one) => one.keptAs === keptAs);
  return record === undefined ? undefined : { at: record.keptAt, target: record.target };
}

/** Notes that the restore which kept it is over. Nothing that is kept there, or nothing of ours, is left as it is. */
export async function closeKept(dataDir: string, keptAs: string | undefined, now: Date): Promise<void> {
  const record = (await listKept(dataDir)).find((one) => one.keptAs === keptAs);
  if (record !== undefined) await writeKeptRecord(record.keptAs, { ...record, restoredAt: now.toISOString() });
}

/** WAL that restores into a directory that was overwritten have put aside, oldest first. */
export async function listSavedWal(dataDir: string): Promise<string[]> {
  return besides(savedWalPrefix(dataDir));
}

export function savedWalPrefix(dataDir: string): string {
  return `${dataDir}.wal-before-restore-`;
}

async function besides(prefix: string): Promise<string[]> {
  const parent = dirname(prefix);
  const names = (await namesIfPresent(parent, { hint: OWNER_HINT })) ?? [];
  const found: string[] = [];
  for (const name of names.filter((one) => one.startsWith(basename(prefix))).sort())
    // A link that leads nowhere is what somebody has left who took the directory elsewhere.
    if ((await statIfPresent(join(parent, name)))?.isDirectory() === true) found.push(join(parent, name));
  return found;
}
