import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { findFileIdentity, type FileIdentity } from "../file-identity.ts";
import { walPath } from "../server-wal/wal-path.ts";
import type { GivenUpWal } from "../gap/given-up.ts";
import type { PushedWal } from "../push-wal.ts";
import type { WalPusher } from "../wal-pusher.ts";

/**
 * A file system notes the time of a change in ticks of up to 10 ms (CONFIG_HZ=100): a second change within the tick of the
 * first leaves ctime as it is. So a file is read only when its last change lies further back than any tick.
 */
const SETTLED_MS = 50;

export interface AttemptOptions {
  readonly dataDir: string;
  readonly pusher: WalPusher;
  /** One file, with all retries of the store. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Attempted {
  readonly pushed: PushedWal | GivenUpWal;
  /** Of the file whose bytes are in the bucket; undefined when it cannot be told by its times. */
  readonly identity: string | undefined;
}

/**
 * Archives one file of `pg_wal`, and proves that the identity it gives belongs to the bytes that were stored: it is taken
 * before and after. Undefined when the file is not there, because PostgreSQL recycled it meanwhile.
 */
export async function attemptPush(
  name: string,
  { dataDir, pusher, timeoutMs, signal }: AttemptOptions,
): Promise<Attempted | undefined> {
  const path = walPath(dataDir, name);
  const before = await settledIdentity(path, signal);
  if (before === undefined) return undefined;
  // Waiting for others' files to be stored is no delay of this one. Rejects, too, when a stop came while it was looked at.
  using memory = await pusher.reserve(before.size, signal);
  const deadline = AbortSignal.timeout(timeoutMs);
  const pushed = await pusher
    .push(path, name, { memory, signal: AbortSignal.any([signal, deadline]) })
    .catch((error: unknown) => {
      throw deadline.aborted && !signal.aborted ? timedOut(name, timeoutMs, error) : error;
    });
  // Nothing was stored, so there is nothing to vouch for.
  if (pushed.outcome === "given up") return { pushed, identity: undefined };
  const after = await findFileIdentity(path);
  if (after?.text !== before.text) throw changed(path);
  return { pushed, identity: before.isSettled ? before.text : undefined };
}

async function settledIdentity(
  path: string,
  signal: AbortSignal,
): Promise<(FileIdentity & { isSettled: boolean }) | undefined> {
  const found = await findFileIdentity(path);
  if (found === undefined) return undefined;
  const waitMs = found.changedAtMs + SETTLED_MS - Date.now();
  // A ctime in the future is that of a clock that was set back: waiting does not help, and it proves nothing.
  if (waitMs <= 0 || waitMs > SETTLED_MS) return { ...found, isSettled: waitMs <= 0 };
  await delay(waitMs, undefined, { signal });
  const again = await findFileIdentity(path);
  return again && { ...again, isSettled: again.text === found.text };
}

function timedOut(name: string, timeoutMs: number, cause: unknown): SoarError {
  return new SoarError(
    "STORE_UNREACHABLE",
    `unable to archive '${name}': it took longer than ${Math.round(timeoutMs / 1000)} s`,
    {
      cause,
      hint: "The store is slow or does not answer. It is tried again by itself; --archive-timeout allows more time.",
    },
  );
}

function changed(path: string): SoarError {
  return new SoarError("WAL_INVALID", `unable to vouch for '${path}': the file changed while it was archived`, {
    hint: "PostgreSQL does not change a finished segment; check what else writes to pg_wal.",
  });
}
