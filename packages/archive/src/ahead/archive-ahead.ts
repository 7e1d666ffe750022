import { hasErrorCode } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";
import { createAcknowledgements, type Acknowledgements } from "../daemon/acknowledgements.ts";
import type { ArchiverEvent } from "../daemon/archiver-event.ts";
import { attemptPush, type AttemptOptions } from "../daemon/push-attempt.ts";
import type { RepositoryBinding } from "../daemon/repository-binding.ts";
import { isSpoolInUse } from "../daemon/spool-lock.ts";
import { compareArchiveOrder, readArchiveStatus } from "../server-wal/archive-status.ts";
import { createWalPusher, type WalPusherOptions } from "../wal-pusher.ts";

export interface AheadOptions extends Omit<WalPusherOptions, "workers" | "spoolDir"> {
  readonly dataDir: string;
  readonly spoolDir: string;
  readonly binding: RepositoryBinding;
  /** Whether the launcher is to print a line for each file (`BACKUP_LOG_ARCHIVE=on`). */
  readonly logsArchive: boolean;
  /** How long the call's own file took, in milliseconds. */
  readonly durationMs: number;
  readonly signal: AbortSignal;
}

export interface AheadOutcome {
  /** What was seen to be in the bucket, in the order in which it got there. */
  readonly archived: readonly (ArchiverEvent & { readonly type: "archived" })[];
  /** What could not be done, after which nothing more was. The file's own call meets the cause again, and answers for it. */
  readonly failure: { readonly what: string; readonly error: unknown } | undefined;
}

/** PostgreSQL asks for the next file at once; one acknowledgement is believed for as long as this. */
const BELIEVED_MS = 60_000;
/** Nothing is begun behind this time, because PostgreSQL waits for an answer that is known. */
const BEGIN_WITHIN_MS = 3_000;
/** One file, with all retries: a store that has become slow meanwhile is no reason to let PostgreSQL wait. */
const TIMEOUT_MS = 5_000;
const FILES = 32;
const AT_ONCE = 2;
/** Two that share a slow way to the store may each take longer than they have. */
const ALONE_MS = 1_000;

/**
 * Stores the files that PostgreSQL is going to ask for next, behind `name`, and acknowledges them as the resident archiver does:
 * starting Node and connecting take several times as long as storing a segment. Does nothing where a resident archiver
 * uses the spool, where nothing waits, and for segments of declared gaps. Each acknowledgement is bound to the very file and
 * ends by itself, because no process removes it.
 *
 * Never rejects for a file or the store: `failure` has it. Rejects with `FILE_UNREADABLE` when `archive_status` cannot be read.
 */
export async function archiveAhead(store: ObjectStore, name: string, options: AheadOptions): Promise<AheadOutcome> {
  const { ready } = await readArchiveStatus(options.dataDir);
  const waiting = ready.filter((other) => compareArchiveOrder(other, name) > 0).slice(0, FILES);
  if (waiting.length === 0 || (await isSpoolInUse(options.spoolDir))) return { archived: [], failure: undefined };
  const acknowledgements = createAcknowledgements({ ...options, believedMs: BELIEVED_MS });
  const atOnce = options.durationMs > ALONE_MS ? 1 : AT_ONCE;
  const pusher = createWalPusher(store, { ...options, workers: atOnce });
  try {
    await acknowledgements.removeOlderThan(BELIEVED_MS);
    return await storeEach(waiting, { ...options, pusher, acknowledgements, atOnce, timeoutMs: TIMEOUT_MS });
  } catch (error) {
    // Without acknowledgements nothing is gained.
    if (hasErrorCode(error, "FILE_UNWRITABLE", "DISK_FULL"))
      return { archived: [], failure: { what: "remove old acknowledgements", error } };
    throw error;
  } finally {
    await pusher.close();
  }
}

interface EachOptions extends AttemptOptions {
  readonly acknowledgements: Acknowledgements;
  readonly atOnce: number;
}

async function storeEach(names: readonly string[], options: EachOptions): Promise<AheadOutcome> {
  const until = performance.now() + BEGIN_WITHIN_MS;
  const left = names.values();
  const archived: AheadOutcome["archived"][number][] = [];
  let failure: AheadOutcome["failure"];
  const work = async (): Promise<void> => {
    for (const name of left) {
      if (failure !== undefined || options.signal.aborted || performance.now() > until) return;
      let done = "archive";
      try {
        const stored = await storeOne(name, options);
        if (stored === undefined) continue;
        archived.push(stored.event);
        done = "acknowledge";
        await stored.acknowledge();
      } catch (error) {
        failure ??= { what: `${done} '${name}' ahead of PostgreSQL, which asks for it itself`, error };
      }
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
  return { archived, failure };
}

interface StoredAhead {
  readonly event: AheadOutcome["archived"][number];
  readonly acknowledge: () => Promise<void>;
}

/** Undefined for what is not in the bucket: recycled meanwhile, or of a declared gap. */
async function storeOne(name: string, { acknowledgements, ...options }: EachOptions): Promise<StoredAhead | undefined> {
  const startedAt = performance.now();
  const attempted = await attemptPush(name, options);
  if (attempted === undefined || attempted.pushed.outcome === "given up") return undefined;
  const { pushed, identity } = attempted;
  const { systemIdentifier } = pushed.identity;
  const event = {
    type: "archived",
    name,
    outcome: pushed.outcome,
    sizeBytes: pushed.size,
    storedBytes: pushed.object.size,
    durationMs: performance.now() - startedAt,
  } as const;
  // A file that cannot be told from another by its times is compared again when PostgreSQL asks.
  const acknowledge = async (): Promise<void> =>
    identity === undefined ? undefined : await acknowledgements.put(name, { identity, systemIdentifier });
  return { event, acknowledge };
}
