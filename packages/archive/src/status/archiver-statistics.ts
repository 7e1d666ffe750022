import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import type { ArchiverEvent } from "../daemon/archiver-event.ts";
import type { TailEvent } from "../tail/tail-event.ts";

/** Counters since the spool was made; they go on after a restart. */
export interface ArchiverCounters {
  readonly archivedTotal: number;
  readonly errorsTotal: number;
  /** Stored bytes of segments and tail pieces. */
  readonly uploadedBytesTotal: number;
  readonly tailPiecesTotal: number;
  readonly lastArchived: { readonly name: string; readonly at: string } | undefined;
  readonly lastFailure: { readonly name: string; readonly at: string; readonly message: string } | undefined;
}

export interface ArchiverStatistics {
  readonly counters: ArchiverCounters;
  /** Files per second over the last minute with any. */
  readonly filesPerSecond: number;
  count(event: ArchiverEvent | TailEvent): void;
  /** Writes the counters if they changed. Rejects with `FILE_UNWRITABLE`. */
  save(): Promise<void>;
}

const FILE = "counters.json";
const RATE_WINDOW_MS = 60_000;
const NONE: ArchiverCounters = { archivedTotal: 0, errorsTotal: 0, uploadedBytesTotal: 0, tailPiecesTotal: 0, lastArchived: undefined, lastFailure: undefined };

/** Goes on with the counters of the spool. A file that is no JSON begins at zero: a metric is no reason not to archive. */
export async function openStatistics(spoolDir: string, now: () => Date = () => new Date()): Promise<ArchiverStatistics> {
  const path = join(spoolDir, FILE);
  let counters = await readCounters(path);
  let isSaved = true;
  let recent: number[] = [];
  const change = (more: Partial<ArchiverCounters>): void => {
    counters = { ...counters, ...more };
    isSaved = false;
  };
  return {
    get counters() {
      return counters;
    },
    get filesPerSecond() {
      const since = now().getTime() - RATE_WINDOW_MS;
      recent = recent.filter((at) => at > since);
      return recent.length / (RATE_WINDOW_MS / 1000);
    },
    count(event) {
      const at = now();
      if (event.type === "archived") {
        recent.push(at.getTime());
        change({ archivedTotal: counters.archivedTotal + 1, uploadedBytesTotal: counters.uploadedBytesTotal + event.storedBytes, lastArchived: { name: event.name, at: at.toISOString() } });
      } else if (event.type === "tail-shipped") {
        change({ tailPiecesTotal: counters.tailPiecesTotal + 1, uploadedBytesTotal: counters.uploadedBytesTotal + event.storedBytes });
      } else if (event.type === "failed" || event.type === "tail-interrupted" || event.type === "tail-stopped") {
        const message = event.error instanceof Error ? event.error.message : String(event.error);
        change({ errorsTotal: counters.errorsTotal + 1, lastFailure: { name: "name" in event ? event.name : "tail", at: at.toISOString(), message } });
      }
    },
    async save() {
      if (isSaved) return;
      isSaved = true;
      try {
        await writeFile(`${path}.new`, `${JSON.stringify(counters)}\n`, { mode: 0o600 });
        await rename(`${path}.new`, path);
      } catch (cause) {
        throw new SoarError("FILE_UNWRITABLE", `unable to write '${path}': ${cause instanceof Error ? cause.message : String(cause)}`, { cause, hint: "Make room in the spool directory." });
      }
    },
  };
}

async function readCounters(path: string): Promise<ArchiverCounters> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Partial<ArchiverCounters>;
    const count = (number: unknown): number => (typeof number === "number" && number >= 0 ? number : 0);
    return {
      archivedTotal: count(value.archivedTotal),
      errorsTotal: count(value.errorsTotal),
      uploadedBytesTotal: count(value.uploadedBytesTotal),
      tailPiecesTotal: count(value.tailPiecesTotal),
      lastArchived: value.lastArchived,
      lastFailure: value.lastFailure,
    };
  } catch (error) {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isAbsent || error instanceof SyntaxError) return NONE;
    throw error;
  }
}
