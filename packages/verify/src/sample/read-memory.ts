import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";

/** When which unit of a repository was read last, kept on this machine. */
export interface ReadMemory {
  /** Milliseconds since 1970. */
  lastRead(unit: string): number | undefined;
  /** Notes that these were read, forgets what is not in the bucket any more, and stores the result. Rejects with `FILE_UNWRITABLE`. */
  remember(read: Iterable<string>, state: { readonly at: Date; readonly existing: ReadonlySet<string> }): Promise<void>;
}

const HEAD = "soar-read-memory 1";

/**
 * Opens the memory for one repository in a directory of this machine, which is made if need be. Each line of the file is a
 * time in seconds and a unit. A file that cannot be parsed counts as empty: what was forgotten is read again.
 * Rejects with `FILE_UNWRITABLE` when the directory cannot be used.
 */
export async function openReadMemory(directory: string, location: string): Promise<ReadMemory> {
  const path = join(directory, `read-${createHash("sha256").update(location).digest("hex").slice(0, 16)}.txt`);
  const times = await attempt(directory, async () => {
    await mkdir(directory, { recursive: true, mode: 0o750 });
    return parse(await readIfThere(path));
  });
  return {
    lastRead: (unit) => times.get(unit),
    async remember(read, { at, existing }) {
      for (const unit of read) times.set(unit, at.getTime());
      for (const unit of times.keys()) if (!existing.has(unit)) times.delete(unit);
      const lines = [...times].map(([unit, time]) => `${Math.floor(time / 1000)} ${unit}`);
      await attempt(directory, () => replaceFile(path, `${[`${HEAD} ${location}`, ...lines].join("\n")}\n`));
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

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

/** Appears whole under its name. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, text, { mode: 0o640 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
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
