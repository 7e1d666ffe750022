import { type FileContent, type Owner, replaceFile } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { formatHistoryFileName } from "@soar/pg-tools";
import { findTimelineHistory, requireTimelineHistory, walKey } from "@soar/repository/wal";
import { readChainSegment, type ChainSegment } from "@soar/repository/chain";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import { checkSegment } from "./check-segment.ts";
import { requireSameFile } from "./local-digest.ts";
import { answerWalRequest, type LineageTable } from "./lineage-table.ts";

/**
 * Delivers one WAL file to `path` for `restore_command`, or rejects with `WAL_END` when the file is proved not to be
 * part of this recovery: behind the last planned segment, on another timeline than the planned one, or a history file
 * that does not exist. Every other rejection means that recovery must stop, not end (safety, trap 29).
 *
 * The file appears under `path` only after its size, digest and header were checked: PostgreSQL takes whatever is there. It is
 * not synced: PostgreSQL renames it durably itself (KeepFileRestoredFromArchive), and after a crash asks for it again.
 */
export async function fetchWalFile(
  store: ObjectStore,
  table: LineageTable,
  name: string,
  path: string,
  { owner, ...options }: FetchWalOptions = {},
): Promise<void> {
  const request = answerWalRequest(table, name);
  if (request.answer === "absent") throw end(name, "it is not part of this recovery's lineage");
  const content =
    request.answer === "look-up"
      ? await readHistory(store, table, request, options)
      : await readSegment(store, table, request, options);
  await replaceFile(path, content, { mode: 0o600, owner, sync: "none" });
}

export interface FetchWalOptions extends CallOptions {
  /** Who runs the server, which also opens the file for writing when it uses it again for WAL of its own. */
  readonly owner?: Owner | undefined;
}

interface HistoryRequest {
  readonly timeline: number;
  readonly text: string | undefined;
}

async function readHistory(
  store: ObjectStore,
  table: LineageTable,
  { timeline, text }: HistoryRequest,
  options: CallOptions,
): Promise<FileContent> {
  const name = formatHistoryFileName(timeline);
  // Parsed, too: a damaged history must stop recovery rather than lead it to another timeline.
  const isStored = timeline > 1 && (await findTimelineHistory(store, timeline, options)) !== undefined;
  if (isStored) return await readObject(store, walKey(name, "none"), options);
  if (text !== undefined) return text;
  // The plan was made with this one: its absence now proves only that something is wrong.
  if (timeline === table.timeline && timeline > 1) await requireTimelineHistory(store, timeline, options);
  throw end(name, "there is no such timeline");
}

interface SegmentRequest {
  readonly segment: ChainSegment;
  readonly sha256: string | undefined;
}

async function readSegment(
  store: ObjectStore,
  table: LineageTable,
  { segment, sha256 }: SegmentRequest,
  options: CallOptions,
): Promise<FileContent> {
  if (segment.object.file !== undefined && sha256 !== undefined) await requireSameFile(segment.object.file, sha256);
  return checkSegment(readChainSegment(store, segment, table.segmentSize, options), table, segment.object);
}

function end(name: string, why: string): SoarError {
  return new SoarError("WAL_END", `there is no '${name}' for this recovery: ${why}`);
}
