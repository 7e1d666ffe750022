import { hasErrorCode, SoarError } from "@soar/errors";
import { findFileIdentity } from "../file-identity.ts";
import { describeGivenUp, type GivenUpWal } from "../gap/given-up.ts";
import { walPath } from "../server-wal/wal-path.ts";
import type { PushedWal } from "../push-wal.ts";
import type { WalPusher } from "../wal-pusher.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import { createArchiveRequests, type ArchiveAnswer } from "./archive-requests.ts";
import { readArchiveStatus } from "../server-wal/archive-status.ts";
import type { ArchiverEvent } from "./archiver-event.ts";
import { mayPass } from "./failure-scope.ts";
import { attemptPush, type Attempted } from "./push-attempt.ts";
import { createRetrySchedule, type RetryScheduleOptions } from "./retry-schedule.ts";

export interface ArchiveQueueOptions {
  readonly dataDir: string;
  readonly pusher: WalPusher;
  readonly acknowledgements: Acknowledgements;
  /** Files in flight at once. */
  readonly jobs: number;
  /** One file, with all retries; also how long a caller waits. */
  readonly timeoutMs: number;
  readonly retry?: RetryScheduleOptions | undefined;
  readonly onEvent?: ((event: ArchiverEvent) => void) | undefined;
}

/** What is known about the files that PostgreSQL has finished. */
export interface QueueState {
  /** Files with `.ready` that are not in the bucket yet, in PostgreSQL's order. */
  readonly pending: readonly string[];
  /** Files that are in the bucket: acknowledged ones, and those that PostgreSQL calls done. */
  readonly archived: readonly string[];
}

/** How far the archiver runs ahead of PostgreSQL; bounds its memory and the number of acknowledgements. */
const LOOK_AHEAD = 1024;

/**
 * Archives what has a `.ready` file, in PostgreSQL's order, several files at once, for as long as it takes. All state
 * follows from `archive_status`, the bucket and the acknowledgements, so it may die at any moment and start again.
 */
export class ArchiveQueue {
  readonly #options: ArchiveQueueOptions;
  readonly #schedule;
  readonly #requests = createArchiveRequests();
  readonly #running = new Map<string, Promise<void>>();
  /** Files in the bucket that still have a `.ready`, with their identity. */
  readonly #acknowledged = new Map<string, string>();
  /** Segments of declared gaps that still have a `.ready`, with what their callers are told. */
  readonly #givenUp = new Map<string, string>();
  readonly #stop = new AbortController();
  #inSight: readonly string[] = [];
  #ready: readonly string[] = [];
  #done: readonly string[] = [];
  #scannedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(options: ArchiveQueueOptions) {
    this.#options = options;
    this.#schedule = createRetrySchedule(options.retry);
  }

  get state(): QueueState {
    return {
      pending: this.#ready.filter((name) => !this.#isSettled(name)),
      archived: [...this.#acknowledged.keys(), ...this.#givenUp.keys(), ...this.#done],
    };
  }

  /** When `archive_status` was read last, on the clock of `performance.now()`: an archiver that does not look any more hangs. */
  get scannedAt(): number {
    return this.#scannedAt;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  /** Looks what PostgreSQL has finished and been told, and starts what can be started. Rejects when the directory cannot be read. */
  async scan(): Promise<void> {
    const { ready, done } = await readArchiveStatus(this.#options.dataDir);
    this.#scannedAt = performance.now();
    this.#ready = ready;
    this.#done = done;
    this.#inSight = ready.slice(0, LOOK_AHEAD);
    const there = new Set(this.#inSight);
    this.#schedule.retain((name) => there.has(name));
    for (const name of this.#givenUp.keys()) if (!there.has(name)) this.#givenUp.delete(name);
    // PostgreSQL was answered: `.ready` became `.done`, or is gone with the file.
    for (const name of [...this.#acknowledged.keys()].filter((one) => !there.has(one))) {
      this.#acknowledged.delete(name);
      await this.#options.acknowledgements.remove(name);
    }
    this.#dispatch();
  }

  /** What a caller of `archive_command` is told about a file of this cluster's `pg_wal`. Rejects like `archiveWalFile`. */
  async request(name: string): Promise<ArchiveAnswer> {
    const known = this.#acknowledged.get(name);
    if (known !== undefined) {
      const now = await findFileIdentity(walPath(this.#options.dataDir, name));
      if (now?.text === known) return { outcome: "archived" };
      this.#acknowledged.delete(name);
      await this.#options.acknowledgements.remove(name);
      // The run that acknowledged the other file may be about to answer: not to this caller.
      await this.#running.get(name);
    }
    const warning = this.#givenUp.get(name);
    if (warning !== undefined) return { outcome: "given up", warning };
    if (this.#isStopping) throw stopping();
    const answer = this.#requests.wait(name, this.#options.timeoutMs);
    this.#schedule.hurry(name);
    this.#dispatch();
    return answer;
  }

  /** Starts nothing more, and gives what is in flight `graceMs` to finish. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#stop.abort(stopping()), graceMs);
    while (this.#running.size > 0) await Promise.all(this.#running.values());
    clearTimeout(timer);
    this.#requests.failAll(stopping());
  }

  #dispatch(): void {
    clearTimeout(this.#timer);
    if (this.#isStopping) return;
    const now = performance.now();
    let nextAt = Infinity;
    for (const name of this.#candidates()) {
      if (this.#running.size >= this.#options.jobs) return;
      const dueAt = this.#schedule.dueAt(name);
      if (dueAt <= now) this.#start(name);
      else nextAt = Math.min(nextAt, dueAt);
    }
    if (nextAt < Infinity) this.#timer = setTimeout(() => this.#dispatch(), nextAt - now + 1);
  }

  /** Those that somebody waits for first: PostgreSQL asks in its own order, so these are its oldest ones. */
  *#candidates(): Generator<string> {
    const isFree = (name: string): boolean => !this.#running.has(name) && !this.#isSettled(name);
    const asked = this.#requests.names();
    for (const name of asked) if (isFree(name)) yield name;
    for (const name of this.#inSight) if (isFree(name) && !asked.includes(name)) yield name;
  }

  /** Nothing is left to do but to tell PostgreSQL. */
  #isSettled(name: string): boolean {
    return this.#acknowledged.has(name) || this.#givenUp.has(name);
  }

  #start(name: string): void {
    const run = this.#archive(name).finally(() => {
      this.#running.delete(name);
      this.#dispatch();
    });
    this.#running.set(name, run);
  }

  /** Never rejects: every failure goes to the caller that waits, to the events, and into the schedule. */
  async #archive(name: string): Promise<void> {
    const startedAt = performance.now();
    try {
      const attempted = await this.#attempt(name);
      if (attempted === undefined) {
        this.#requests.fail(name, missing(walPath(this.#options.dataDir, name)), { isFinal: true });
        this.#inSight = this.#inSight.filter((one) => one !== name);
        return;
      }
      if (attempted.pushed.outcome === "given up") this.#giveUp(name, attempted.pushed);
      else this.#report(name, attempted.pushed, performance.now() - startedAt);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const { attempts, retryInMs } = this.#schedule.failed(name, error);
      this.#requests.fail(name, error, { isFinal: !mayPass(error) });
      this.#options.onEvent?.({ type: "failed", name, error, attempts, retryInMs });
    }
  }

  async #attempt(name: string): Promise<Attempted | undefined> {
    const { acknowledgements } = this.#options;
    await this.#spooled(name, () => acknowledgements.begin(name));
    try {
      const attempted = await attemptPush(name, { ...this.#options, signal: this.#stop.signal });
      if (attempted !== undefined && attempted.pushed.outcome !== "given up")
        await this.#acknowledge(name, attempted.pushed, attempted.identity);
      return attempted;
    } finally {
      await this.#spooled(name, () => acknowledgements.end(name));
    }
  }

  /** The launcher is given no acknowledgement: each of these segments has its line in the server's log. */
  #giveUp(name: string, { gap }: GivenUpWal): void {
    const warning = describeGivenUp(name, gap);
    if (this.#inSight.includes(name)) this.#givenUp.set(name, warning);
    this.#requests.answer(name, { outcome: "given up", warning });
    this.#options.onEvent?.({ type: "given-up", name, gap });
  }

  async #acknowledge(name: string, pushed: PushedWal, identity: string | undefined): Promise<void> {
    // Without a `.ready` nobody will say when the acknowledgement may go.
    if (this.#inSight.includes(name)) {
      // A file that cannot be told from another by its times is compared again when PostgreSQL asks: no identity is empty.
      this.#acknowledged.set(name, identity ?? "");
      const { systemIdentifier } = pushed.identity;
      if (identity !== undefined)
        await this.#spooled(name, () => this.#options.acknowledgements.put(name, { identity, systemIdentifier }));
    }
    this.#requests.answer(name, { outcome: pushed.outcome });
  }

  /** A full disk of the spool must not end archiving: callers ask over the socket then. */
  async #spooled(name: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!hasErrorCode(error, "FILE_UNWRITABLE", "DISK_FULL")) throw error;
      this.#options.onEvent?.({ type: "unacknowledged", name, error });
    }
  }

  #report(name: string, pushed: PushedWal, durationMs: number): void {
    const outage = this.#schedule.succeeded(name);
    const { outcome, size: sizeBytes, object } = pushed;
    this.#options.onEvent?.({ type: "archived", name, outcome, sizeBytes, storedBytes: object.size, durationMs });
    if (outage !== undefined) this.#options.onEvent?.({ type: "recovered", ...outage });
  }
}

function stopping(): SoarError {
  return new SoarError("ABORTED", "unable to archive now: the archiver is stopping", {
    hint: "PostgreSQL calls again by itself.",
  });
}

function missing(path: string): SoarError {
  return new SoarError("FILE_UNREADABLE", `unable to read '${path}': there is no such file`, {
    hint: "PostgreSQL keeps a segment until it is archived; check what else removes files from pg_wal.",
  });
}
