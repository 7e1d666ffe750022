import { isSoarError, SoarError } from "@soar/errors";
import { formatHistoryFileName, parseTimelineHistory, type TimelineHistory } from "@soar/pg-tools";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import { walKey } from "./wal-key.ts";

/** PostgreSQL writes one line per ancestor, of some hundred bytes. */
export const LARGEST_HISTORY = 1024 * 1024;

/** The archived history of a timeline. Timeline 1 has none; any other without one is undefined here. */
export async function findTimelineHistory(
  store: ObjectStore,
  timeline: number,
  options: CallOptions = {},
): Promise<TimelineHistory | undefined> {
  if (timeline === 1) return { timeline, entries: [] };
  const key = walKey(formatHistoryFileName(timeline), "none");
  const stored = await store.stat(key, options);
  if (stored === undefined) return undefined;
  if (stored.size > LARGEST_HISTORY) throw damaged(store, key, `it has ${stored.size} bytes`);
  const text = await readObject(store, key, { ...options, maxBytes: LARGEST_HISTORY });
  try {
    return parseTimelineHistory(text.toString("utf8"), timeline);
  } catch (cause) {
    /* v8 ignore next -- reading the text throws nothing else: what would come here is a bug, and has to stay one */
    if (!isSoarError(cause)) throw cause;
    throw damaged(store, key, cause.message, cause);
  }
}

function damaged(store: ObjectStore, key: string, fact: string, cause?: SoarError): SoarError {
  return new SoarError("REPOSITORY_DAMAGED", `'${store.location}/${key}' is damaged: ${fact}`, {
    cause,
    hint: "Restore an older version of the object from the bucket, or remove it and archive it again from pg_wal of a server on that timeline.",
  });
}

/** Rejects with `WAL_MISSING`: without its history file a timeline's ancestors cannot be known. */
export async function requireTimelineHistory(
  store: ObjectStore,
  timeline: number,
  options: CallOptions = {},
): Promise<TimelineHistory> {
  const history = await findTimelineHistory(store, timeline, options);
  if (history !== undefined) return history;
  const name = formatHistoryFileName(timeline);
  throw new SoarError("WAL_MISSING", `unable to follow timeline ${timeline}: '${name}' is not in '${store.location}'`, {
    hint: `Archive it again from pg_wal of a server on that timeline: soar-wal-archive pg_wal/${name} ${name}.`,
  });
}
