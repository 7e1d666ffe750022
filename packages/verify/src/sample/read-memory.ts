import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeDirectory, readTextIfPresent, removeLeftovers, replaceFile } from "@soar/durable-files";
import { SoarError } from "@soar/errors";

/** What is known of earlier readings. */
export interface Memories {
  /** Milliseconds since 1970. Undefined for what was never read, and for what was found damaged. */
  lastRead(unit: string): number | undefined;
  isDamaged(unit: string): boolean;
}

export interface Reading {
  readonly at: Date;
  readonly read: Iterable<string>;
  /** What was read and found damaged: it has to be read until it is whole or gone. */
  readonly damaged: ReadonlySet<string>;
  /** Everything in the bucket, where all of it was looked at: what is not there any more is forgotten. */
  readonly existing: ReadonlySet<string> | undefined;
}

/** When which unit of a repository was read last, and how it was, kept on this machine. */
export interface ReadMemory extends Memories {
  /** Stores what one run has read. Rejects with `FILE_UNWRITABLE`. */
  remember(reading: Reading): Promise<void>;
}

export const NOTHING_READ: Memories = { lastRead: () => undefined, isDamaged: () => false };

const DAMAGED = 0;
/** What a crash takes away is read again. */
const SYNC = "none";
/** Another run writes its memory within seconds. */
const LEFTOVER_MS = 60 * 60_000;
const HEAD = "soar-read-memory 1";

/**
 * Opens the memory for one repository in a directory of this machine, which is made if need be. Each line of the file is a
 * time in seconds and a unit; the time is 0 for a unit that was found damaged. A file that cannot be parsed counts as empty: what was forgotten is read again.
 * Rejects with `FILE_UNWRITABLE` when the directory cannot be used.
 */
export async function openReadMemory(directory: string, location: string): Promise<ReadMemory> {
  const path = join(directory, `read-${createHash("sha256").update(location).digest("hex").slice(0, 16)}.txt`);
  const times = await attempt(directory, async () => {
    await makeDirectory(directory, { mode: 0o750, sync: SYNC });
    await removeLeftovers(directory, { idleMs: LEFTOVER_MS });
    return parse((await readTextIfPresent(path)) ?? "");
  });
  return {
    lastRead: (unit) => (times.get(unit) === DAMAGED ? undefined : times.get(unit)),
    isDamaged: (unit) => times.get(unit) === DAMAGED,
    async remember({ at, read, damaged, existing }) {
      for (const unit of read) times.set(unit, at.getTime());
      for (const unit of damaged) times.set(unit, DAMAGED);
      if (existing !== undefined) for (const unit of times.keys()) if (!existing.has(unit)) times.delete(unit);
      const lines = [...times].map(([unit, time]) => `${Math.floor(time / 1000)} ${unit}`);
      const text = `${[`${HEAD} ${location}`, ...lines].join("\n")}\n`;
      await attempt(directory, () => replaceFile(path, text, { mode: 0o640, sync: SYNC }));
    },
  };
}

function parse(text: string): Map<string, number> {
  const [head = "", ...lines] = text.split("\n");
  const times = new Map<string, number>();
  if (!head.startsWith(HEAD)) return times;
  for (const line of lines) {
    const [, seconds, unit] = /^(\d{1,12}) (.+)$/.exec(line) ?? [];
    if (seconds !== undefined && unit !== undefined) times.set(unit, Number(seconds) * 1000);
  }
  return times;
}

async function attempt<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const fact = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new SoarError("FILE_UNWRITABLE", `unable to keep what was read in '${directory}': ${fact}`, {
      cause,
      hint: "Make the directory writable for this user, or name another one in BACKUP_VERIFY_STATE_DIR.",
    });
  }
}
