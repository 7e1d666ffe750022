import { isSoarError, messageOf } from "@soar/errors";
import type { StoreEvent } from "@soar/storage";
import type { ArchiverEvent } from "../daemon/archiver-event.ts";
import type { TailEvent } from "../tail/tail-event.ts";
import {
  addToCounters,
  joinChanges,
  type ArchiverCounters,
  type BaseBackupRun,
  type CounterChange,
  type LastFailure,
} from "./archiver-counters.ts";
import { readCounters, updateCounters } from "./counters-file.ts";
import { createHourlyRate } from "./hourly-rate.ts";

export interface ArchiverStatistics {
  readonly counters: ArchiverCounters;
  /** Files per second over the last minute with any. */
  readonly filesPerSecond: number;
  readonly hourly: HourlyRates;
  count(event: ArchiverEvent | TailEvent | StoreEvent): void;
  /** Counts those base backups that were not counted before. */
  countBaseBackups(runs: readonly BaseBackupRun[]): void;
  /** Writes what was counted since the last time, if there is any. Rejects with `FILE_UNWRITABLE`; it is written the next time then. */
  save(): Promise<void>;
}

/** Of the last hour. */
export interface HourlyRates {
  /** Requests that store something, steps of uploads in parts included. */
  readonly puts: number;
  readonly lists: number;
  /** Of the puts, pieces of the tail. */
  readonly tailPuts: number;
  readonly tailBytes: number;
}

const RATE_WINDOW_MS = 60_000;
const PATIENCE_MS = 2_000;

/** Goes on with the counters of the spool. */
export async function openStatistics(
  spoolDir: string,
  now: () => Date = () => new Date(),
): Promise<ArchiverStatistics> {
  const clock = (): number => now().getTime();
  let saved = await readCounters(spoolDir);
  let unsaved: CounterChange | undefined;
  let recent: number[] = [];
  const rates = {
    puts: createHourlyRate(clock),
    lists: createHourlyRate(clock),
    tailPuts: createHourlyRate(clock),
    tailBytes: createHourlyRate(clock),
  };
  const change = (more: CounterChange): void => {
    unsaved = joinChanges(unsaved ?? {}, more);
  };
  return {
    get counters() {
      return unsaved === undefined ? saved : addToCounters(saved, unsaved);
    },
    get filesPerSecond() {
      const since = clock() - RATE_WINDOW_MS;
      // A clock that was set back leaves times to come.
      recent = recent.filter((at) => at > since && at <= clock());
      return recent.length / (RATE_WINDOW_MS / 1000);
    },
    get hourly() {
      return {
        puts: rates.puts.perHour,
        lists: rates.lists.perHour,
        tailPuts: rates.tailPuts.perHour,
        tailBytes: rates.tailBytes.perHour,
      };
    },
    count(event) {
      if (event.type === "archived") recent.push(clock());
      if (event.type === "tail-shipped" || event.type === "tail-consolidated") {
        rates.tailPuts.add(1);
        rates.tailBytes.add(event.storedBytes);
      }
      if (event.type === "request" && (event.kind === "put" || event.kind === "multipart")) rates.puts.add(1);
      if (event.type === "request" && event.kind === "list") rates.lists.add(1);
      const more = changeOf(event, now());
      if (more !== undefined) change(more);
    },
    countBaseBackups: (runs) => change({ baseBackups: runs }),
    async save() {
      const writing = unsaved;
      if (writing === undefined) return;
      unsaved = undefined;
      try {
        saved = await updateCounters(spoolDir, writing, { patienceMs: PATIENCE_MS });
      } catch (error) {
        unsaved = joinChanges(writing, unsaved ?? {});
        throw error;
      }
    },
  };
}

/** What an event adds to the counters. */
export function changeOf(event: ArchiverEvent | TailEvent | StoreEvent, at: Date): CounterChange | undefined {
  switch (event.type) {
    case "archived":
      return {
        archived: 1,
        uploadedBytes: event.outcome === "archived" ? event.storedBytes : 0,
        lastArchived: { name: event.name, at: at.toISOString() },
      };
    case "tail-shipped":
    case "tail-consolidated":
      return { tailPieces: 1, uploadedBytes: event.storedBytes };
    case "given-up":
      return { givenUp: 1 };
    case "failed":
      return { errors: 1, lastFailure: failureOf(event.name, event.error, at) };
    case "tail-interrupted":
    case "tail-stopped":
      return { errors: 1, lastFailure: failureOf("tail", event.error, at) };
    case "request":
      return { requests: { [`${event.kind} ${event.outcome}`]: 1 } };
    default:
      return undefined;
  }
}

function failureOf(name: string, error: unknown, at: Date): LastFailure {
  const { code, hint } = isSoarError(error) ? error : { code: undefined, hint: undefined };
  return { name, at: at.toISOString(), code, message: messageOf(error), hint };
}
