import { resolve } from "node:path";
import { mapOrdered } from "@soar/task-pool";
import type { CodecPool } from "../codec-pool.ts";
import type { FileCreation } from "../pool/tasks.ts";
import type { FetchOptions } from "../read/fetch-ranges.ts";
import type { ArchiveOutline } from "../table/seek-table.ts";
import { DirectoryTree } from "./directory-tree.ts";
import { extractMembers } from "./extract-members.ts";
import { makeHardLinks, makeSymlinks } from "./make-links.ts";
import { OpenFiles } from "./open-files.ts";
import { type EntryChoice, type ExtractionPlan, planExtraction } from "./plan-extraction.ts";
import { type PlannedMember, planMembers } from "./plan-members.ts";
import type { PlannedEntry } from "./planned-entry.ts";
import { syncPath } from "./sync-path.ts";

export interface ExtractOptions extends EntryChoice, FetchOptions {
  /** Directory to extract into; made when it is missing. */
  readonly targetDir: string;
  readonly pool: CodecPool;
  /**
   * What happens to files that are there: `refuse` (the default) fails; `overwrite` replaces them; `keep-unchanged`
   * compares chunks of large files with their digests first, and neither fetches nor writes those that are right.
   */
  readonly existing?: "refuse" | "overwrite" | "keep-unchanged" | undefined;
  /** Whether blocks of zeros become holes in new files; by default true. */
  readonly sparse?: boolean | undefined;
  /** Whether everything is made durable before this resolves; by default true. */
  readonly sync?: boolean | undefined;
  readonly onProgress?: ((progress: ExtractSummary) => void) | undefined;
}

export interface ExtractSummary {
  /** Bytes of files that are in place. */
  readonly plainBytes: number;
  /** Of these, bytes that were there already (`keep-unchanged`). */
  readonly keptBytes: number;
  /** Bytes that were fetched and used. */
  readonly storedBytes: number;
  /** Stored bytes that need not be fetched, because what they hold was there already (`keep-unchanged`). */
  readonly sparedBytes: number;
  /** Files, directories and links that were chosen. */
  readonly entries: number;
}

/** Files that are created or synced in one go. */
const BATCH = 64;
const SYNCS_AT_ONCE = 4;

/**
 * Extracts an archive straight into place: members are fetched in ranges, checked and written by the workers in parallel.
 * Nothing is written through a symbolic link under the target, whoever made it, and links are made last. A run that fails
 * leaves what it wrote; call again with `keep-unchanged` to go on. To hold a file back until everything else is there,
 * leave it out with `select` and extract it in a second call.
 *
 * Rejects with `FORMAT_INVALID` before anything is written when a path leads out of the directory; with
 * `ARCHIVE_DAMAGED`, naming object and bytes, before a damaged member is written; with `FILE_UNWRITABLE`, `DISK_FULL`,
 * `ABORTED`, and with what `fetch` rejects with.
 */
export async function extractArchive(archive: ArchiveOutline, options: ExtractOptions): Promise<ExtractSummary> {
  const plan = planExtraction(archive, options);
  await using tree = new DirectoryTree(resolve(options.targetDir), options.owner);
  await prepareDirectories(plan, tree);
  await createEmptyFiles(plan.emptyFiles, tree, options);
  const members = planMembers(archive.members.openCursor(options.signal), plan.files);
  const { wholeFiles, ...summary } = await writeContent({ ...plan, members }, tree, options);
  await syncFiles([...plan.emptyFiles, ...wholeFiles], tree, options);
  await makeHardLinks(plan.hardLinks, tree, { overwrite: mayOverwrite(options) });
  await makeSymlinks(plan.symlinks, tree, { overwrite: mayOverwrite(options) });
  await tree.finish(plan.directories, { sync: options.sync !== false });
  return summary;
}

function mayOverwrite({ existing }: ExtractOptions): boolean {
  return existing !== undefined && existing !== "refuse";
}

async function prepareDirectories(plan: ExtractionPlan, tree: DirectoryTree): Promise<void> {
  for (const { path } of plan.directories) await tree.prepare(path);
  for (const { path } of [...plan.emptyFiles, ...plan.files, ...plan.symlinks, ...plan.hardLinks])
    await tree.prepareParent(path);
}

async function createEmptyFiles(
  files: readonly PlannedEntry[],
  tree: DirectoryTree,
  options: ExtractOptions,
): Promise<void> {
  const creations = files.map(({ path, attributes }): FileCreation => ({
    ...tree.place(path),
    plainOffset: 0,
    length: 0,
    attributes,
    replace: mayOverwrite(options),
  }));
  const { pool, signal } = options;
  for (let at = 0; at < creations.length; at += BATCH) await pool.create(creations.slice(at, at + BATCH), { signal });
}

/** Everything that members hold; files that several of them were written to are durable then, with `sync`. */
async function writeContent(
  plan: ExtractionPlan & { readonly members: AsyncIterable<PlannedMember> },
  tree: DirectoryTree,
  options: ExtractOptions,
): Promise<ExtractSummary & { readonly wholeFiles: readonly PlannedEntry[] }> {
  const { existing, sparse = true, sync = true, onProgress } = options;
  const place = { place: (path: string) => tree.place(path), overwrite: mayOverwrite(options), sync };
  const lists = [plan.emptyFiles, plan.files, plan.directories, plan.symlinks, plan.hardLinks];
  const entries = lists.reduce((sum, { length }) => sum + length, 0);
  const summary = { plainBytes: 0, keptBytes: 0, storedBytes: 0, sparedBytes: 0, entries };
  const wholeFiles: PlannedEntry[] = [];
  const open = new OpenFiles(place);
  const how = { ...options, ...place, sparse, keepUnchanged: existing === "keep-unchanged" };
  try {
    for await (const done of extractMembers(plan.members, open, how)) {
      summary.plainBytes += done.writtenBytes;
      summary.storedBytes += done.fetchedBytes;
      summary.sparedBytes += done.sparedBytes;
      if (done.sparedBytes > 0) summary.keptBytes += done.writtenBytes;
      for (const file of done.wholeFiles) wholeFiles.push(file);
      onProgress?.({ ...summary });
    }
    await open.finish();
  } finally {
    await open.close();
  }
  return { ...summary, wholeFiles };
}

/**
 * Files that were created whole are synced at the end: by then the system has written most of them, and the first few syncs
 * take the rest of the journal with them.
 */
async function syncFiles(
  files: readonly PlannedEntry[],
  tree: DirectoryTree,
  { sync = true, signal }: ExtractOptions,
): Promise<void> {
  if (!sync) return;
  const run = mapOrdered(files, async ({ path }) => await syncPath(tree.place(path)), {
    maxItems: SYNCS_AT_ONCE,
    signal,
  });
  while ((await run.next()).done !== true);
}
