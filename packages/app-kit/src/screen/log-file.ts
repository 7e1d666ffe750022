import { closeSync, constants, existsSync, fchownSync, fstatSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { isRoot, makeDirectory, openForAppend, systemErrorCode } from "@soar/durable-files";
import { type HeldDirectory, holdDirectory } from "@soar/durable-files/directories";
import { messageOf, SoarError } from "@soar/errors";

const LOG_FILE_NAME = "backup.log";
const MODE = 0o640;
/** Where nobody else moves it away. */
export const LARGEST_LOG_BYTES = 16 * 1024 * 1024;

/** Programs keep theirs until they end; letting go of it closes its directory, and nothing is appended any more. */
export interface LogFile extends AsyncDisposable {
  readonly path: string;
  /** Appends one line in one write, so that lines of several processes do not mix. Throws what the file system throws. */
  append(line: string): void;
}

/**
 * Opens `backup.log` in a directory, which is made if need be. The file is opened anew for every line: there are few
 * lines, and logrotate may then move the file away at any time without telling anybody. One that is longer than
 * `LARGEST_LOG_BYTES` is put aside, see `rotateLog`. The directory stays the one that it was: root writes here too, where it
 * belongs to postgres, and goes through no link of theirs.
 *
 * Rejects with `FILE_UNWRITABLE`.
 */
export async function openLogFile(directory: string): Promise<LogFile> {
  const file = path.join(directory, LOG_FILE_NAME);
  try {
    if (!existsSync(directory)) await makeDirectory(directory, { mode: 0o755, sync: "none" });
    await (await openForAppend(file, { mode: MODE })).close();
    const held = await holdDirectory(directory);
    return { path: file, append: appender(held, file), [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
  } catch (cause) {
    throw new SoarError(
      "FILE_UNWRITABLE",
      `unable to open the log file '${file}': ${systemErrorCode(cause) ?? messageOf(cause)}`,
      { hint: `Make the directory writable for this user, or set BACKUP_LOG_DIR to another one.`, cause },
    );
  }
}

function appender(held: HeldDirectory, file: string): LogFile["append"] {
  let rotating = false;
  let failure: { readonly error: unknown } | undefined;
  // The lines that come meanwhile go wherever the name leads, which is the old file or the new one.
  const rotate = async (): Promise<void> => {
    const { rotateLog } = await import("./rotate-log.ts");
    await rotateLog(file, new Date());
  };
  return (line) => {
    const size = appendLine(held, line);
    if (failure !== undefined) {
      const { error } = failure;
      failure = undefined;
      throw error;
    }
    if (size < LARGEST_LOG_BYTES || rotating) return;
    rotating = true;
    rotate()
      // Told with the next line, as what keeps a line from being written is.
      .catch((error: unknown) => void (failure = { error }))
      .finally(() => (rotating = false));
  };
}

/** Gives the size that the file has then. */
function appendLine(held: HeldDirectory, line: string): number {
  const descriptor = openInside(held);
  try {
    writeSync(descriptor, `${line}\n`);
    return fstatSync(descriptor).size;
  } finally {
    closeSync(descriptor);
  }
}

function openInside(held: HeldDirectory): number {
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const descriptor = openSync(held.at(LOG_FILE_NAME), flags, MODE);
  try {
    if (isRoot()) makeTheirs(descriptor, held);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** A log that a restore by root begins must not lock out the backups by postgres that follow; nor is one of others written to. */
function makeTheirs(descriptor: number, { owner }: HeldDirectory): void {
  const found = fstatSync(descriptor);
  if (!found.isFile() || found.nlink !== 1 || (found.uid !== 0 && found.uid !== owner?.uid))
    throw new Error("somebody has put another file in its place");
  if (owner !== undefined && found.uid !== owner.uid && found.size === 0) fchownSync(descriptor, owner.uid, owner.gid);
}
