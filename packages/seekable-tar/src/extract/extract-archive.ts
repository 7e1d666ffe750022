import { resolve } from "node:path";
import { mapOrdered } from "@soar/task-pool";
import type { CodecPool } from "../codec-pool.ts";
import type { FileCreation } from "../pool/tasks.ts";
import type { FetchOptions } from "../read/fetch-ranges.ts";
import type { SeekArchive } from "../table/seek-table.ts";
import { DirectoryTree } from "./directory-tree.ts";
import { extractMembers } from "./extract-members.ts";
import { makeHardLinks, makeSymlinks } from "./make-links.ts";
import { OpenFiles } from "./open-files.ts";
import { type EntryChoice, type ExtractionPlan, planExtraction, type PlannedEntry } from "./plan-extraction.ts";
import { liesInOneMember } from "./plan-members.ts";
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
export async function extractArchive(archive: SeekArchive, options: ExtractOptions): Promise<ExtractSummary> {
  const plan = planExtraction(archive, options);
  const tree = new DirectoryTree(resolve(options.targetDir));
  for (const { path } of plan.directories) await tree.prepare(path);
  for (const { path } of [...plan.files, ...plan.symlinks, ...plan.hardLinks]) await tree.prepareParent(path);
  const summary = await extractFiles(archive, plan, tree, options);
  const links = { overwrite: options.existing !== undefined && options.existing !== "refuse" };
  await makeHardLinks(plan.hardLinks, tree, links);
  await makeSymlinks(plan.symlinks, tree, links);
  await tree.finish(plan.directories, { sync: options.sync !== false, owner: options.owner });
  return summary;
}

async function extractFiles(
  archive: SeekArchive,
  plan: ExtractionPlan,
  tree: DirectoryTree,
  options: ExtractOptions,
): Promise<ExtractSummary> {
  const { existing = "refuse", sparse = true, sync = true, onProgress } = options;
  const place = { resolve: (path: string) => tree.resolve(path), overwrite: existing !== "refuse", sync };
  const entries = plan.files.length + plan.directories.length + plan.symlinks.length + plan.hardLinks.length;
  const summary = { plainBytes: 0, keptBytes: 0, storedBytes: 0, entries };
  const open = new OpenFiles(place);
  await createEmptyFiles(plan.files, place, options);
  try {
    for await (const done of extractMembers(archive, plan.files, open, {
      ...options,
      ...place,
      sparse,
      keepUnchanged: existing === "keep-unchanged",
    })) {
      summary.plainBytes += done.writtenBytes;
      summary.storedBytes += done.fetchedBytes;
      if (done.fetchedBytes === 0) summary.keptBytes += done.writtenBytes;
      onProgress?.({ ...summary });
    }
    await open.finish();
  } finally {
    await open.close();
  }
  if (sync) await syncWholeFiles(archive, plan.files, tree, options);
  return summary;
}

async function createEmptyFiles(
  files: readonly PlannedEntry[],
  place: { resolve: (path: string) => string; overwrite: boolean },
  { pool, signal }: ExtractOptions,
): Promise<void> {
  const creations = files
    .filter(({ entry }) => entry.size === 0)
    .map(({ path, attributes }): FileCreation => ({
      path: place.resolve(path),
      plainOffset: 0,
      length: 0,
      attributes,
      replace: place.overwrite,
    }));
  for (let at = 0; at < creations.length; at += BATCH) await pool.create(creations.slice(at, at + BATCH), { signal });
}

/**
 * Files that came whole out of one member are synced at the end: by then the system has written most of them, and the
 * first few syncs take the rest of the journal with them.
 */
async function syncWholeFiles(
  archive: SeekArchive,
  files: readonly PlannedEntry[],
  tree: DirectoryTree,
  { signal }: ExtractOptions,
): Promise<void> {
  const whole = files.filter((file) => liesInOneMember(archive, file));
  const run = mapOrdered(whole, async ({ path }) => await syncPath(tree.resolve(path)), {
    maxItems: SYNCS_AT_ONCE,
    signal,
  });
  while ((await run.next()).done !== true);
}
