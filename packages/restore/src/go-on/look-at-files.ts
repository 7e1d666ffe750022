import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import type { Owner } from "@soar/durable-files";
import { mapOrdered } from "@soar/task-pool";
import { MOST_AT_ONCE } from "./backup-pages.ts";
import { Tally, type Counted } from "../work-done.ts";
import type { BlockRange, FileList, ListedFile } from "./file-list.ts";
import { judgeFile, type JudgedFile } from "./judge-pages.ts";
import type { PageRules } from "./page-judge.ts";
import { holdsCommitTimes, watchedFiles, type ClusterPlaces, type WatchedFile } from "./watched-files.ts";

export interface LookOptions extends ClusterPlaces {
  readonly owner?: Owner | undefined;
  readonly rules: PageRules;
  /** What is known of an earlier moment. Without it every file is read. */
  readonly list: FileList | undefined;
  /** Files that are read at once; one unless said otherwise. */
  readonly jobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A file that was read, because it may be another than the list knows. */
export interface ReadFile extends JudgedFile {
  readonly file: WatchedFile;
  readonly listed: ListedFile | undefined;
}

export interface Looked {
  readonly files: ReadonlyMap<string, WatchedFile & Pick<ListedFile, "zeros">>;
  /** Files whose bytes nobody can have changed: the kernel sets the time of change, and no program sets it back. */
  readonly untouched: Counted;
  readonly readFiles: readonly ReadFile[];
  readonly readBytes: Counted;
  /** Files of the list that are gone, or shorter than they were. */
  readonly lessThere: readonly LessThere[];
}

/** Bytes of a file. */
export interface LessThere {
  readonly name: string;
  readonly listed: number;
  /** 0 for one that is gone. */
  readonly now: number;
}

/** Small ones that are read behind a large one. */
const MOST_WAITING = 16;

/** Looks at what a server may only have changed by replaying or writing WAL, and reads what was changed, in the order of the backup. */
export async function lookAtFiles(options: LookOptions): Promise<Looked> {
  const { list, signal, jobs = 1 } = options;
  const now = await watchedFiles(options);
  const [untouched, readBytes] = [new Tally(), new Tally()];
  const files = new Map<string, WatchedFile & Pick<ListedFile, "zeros">>();
  const readFiles: ReadFile[] = [];
  const rules = {
    ...options.rules,
    isUnlogged: (name: string) => now.has(initForkOf(name)),
    known: { hasUnknown: false },
  };
  const changed: WatchedFile[] = [];
  for (const [name, file] of now) {
    const listed = list?.files.get(name);
    if (listed !== undefined && isSame(file, listed)) {
      untouched.add(1);
      files.set(name, { ...file, zeros: listed.zeros });
    } else changed.push(file);
  }
  const read = async (file: WatchedFile): Promise<ReadFile | undefined> => {
    const judged = await readOne(file, { ...options, rules });
    return judged === undefined ? undefined : { ...judged, file, listed: list?.files.get(file.name) };
  };
  const ordered = await inOrder(changed, options.rules);
  const limits = { maxItems: Math.min(Math.max(jobs, 1), MOST_AT_ONCE), maxWaiting: MOST_WAITING, signal };
  for await (const judged of mapOrdered(ordered, read, limits)) {
    if (judged === undefined) continue;
    readBytes.add(judged.bytes);
    readFiles.push(judged);
    files.set(judged.file.name, { ...judged.file, zeros: judged.zeros });
  }
  const lessThere = [...(list?.files ?? [])].flatMap(([name, { size }]) => {
    const left = files.get(name)?.size;
    // A crash empties unlogged tables.
    return (left ?? -1n) < size && !rules.isUnlogged(name) && !holdsCommitTimes(name)
      ? [{ name, listed: Number(size), now: Number(left ?? 0n) }]
      : [];
  });
  return { files, untouched: untouched.total, readFiles, readBytes: readBytes.total, lessThere };
}

/** As the backup has them: what one asks of its table serves the next. */
async function inOrder(files: readonly WatchedFile[], { backup }: PageRules): Promise<readonly WatchedFile[]> {
  const placeOf = backup?.pages.placeOf;
  if (placeOf === undefined) return files;
  const placed: { readonly file: WatchedFile; readonly place: number }[] = [];
  for (const file of files) placed.push({ file, place: await placeOf(file.name) });
  return placed.toSorted((a, b) => a.place - b.place).map(({ file }) => file);
}

function isSame(now: WatchedFile, { ino, size, ctimeNs }: ListedFile): boolean {
  return now.ino === ino && now.size === size && now.ctimeNs === ctimeNs;
}

/** What an unlogged table begins with after a crash; no other relation has one. */
function initForkOf(name: string): string {
  return `${name.replace(/(?:_(?:fsm|vm|init))?(?:\.\d+)?$/, "")}_init`;
}

/** Undefined when it is gone by now. */
async function readOne(
  { path, name }: WatchedFile,
  { dataDir, tablespaces, owner, rules }: LookOptions,
): Promise<JudgedFile | undefined> {
  await using file = await openOrdinaryIfPresent(path, { within: withinOf(name, { dataDir, tablespaces }, owner) });
  return file === undefined ? undefined : await judgeFile(file, name, rules);
}

/** Whoever owns the directories may put links there, through which root reads nothing. */
export function withinOf(
  name: string,
  { dataDir, tablespaces }: ClusterPlaces,
  owner: Owner | undefined,
): { readonly base: string; readonly owner: Owner | undefined } {
  const [first, oid] = name.split("/");
  const place = first === "pg_tblspc" ? tablespaces.get(Number(oid)) : undefined;
  return { base: place ?? dataDir, owner };
}

/** Blocks that are zeros now and were in use before, as far as the list tells; undefined where only the backup can. */
export function newZeros(
  { listed, zeros }: Pick<ReadFile, "listed" | "zeros">,
  blockSize: number,
): BlockRange[] | undefined {
  if (listed?.zeros === undefined) return undefined;
  const blocks = Number(listed.size) / blockSize;
  return without(zeros, listed.zeros).flatMap(({ first, last }) =>
    first >= blocks ? [] : [{ first, last: Math.min(last, Math.ceil(blocks) - 1) }],
  );
}

/** Blocks of `found` that are in none of `known`. */
function without(found: readonly BlockRange[], known: readonly BlockRange[]): BlockRange[] {
  const left: BlockRange[] = [];
  for (const range of found) {
    let first = range.first;
    for (const other of known) {
      if (other.last < first || other.first > range.last) continue;
      if (other.first > first) left.push({ first, last: other.first - 1 });
      first = other.last + 1;
    }
    if (first <= range.last) left.push({ first, last: range.last });
  }
  return left;
}
