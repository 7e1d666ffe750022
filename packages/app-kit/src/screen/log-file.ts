import { closeSync, constants, fchownSync, fstatSync, mkdirSync, openSync, statSync, writeSync } from "node:fs";
import path from "node:path";
import { SoarError } from "@soar/errors";

const LOG_FILE_NAME = "backup.log";
/** Where nobody else moves it away. */
export const LARGEST_LOG_BYTES = 16 * 1024 * 1024;

export interface LogFile {
  readonly path: string;
  /** Appends one line in one write, so that lines of several processes do not mix. Throws what the file system throws. */
  append(line: string): void;
}

/**
 * Opens `backup.log` in a directory, which is made if need be. The file is opened anew for every line: there are few
 * lines, and logrotate may then move the file away at any time without telling anybody. One that is longer than
 * `LARGEST_LOG_BYTES` is put aside, see `rotateLog`.
 *
 * Throws `FILE_UNWRITABLE`.
 */
export function openLogFile(directory: string): LogFile {
  const file = path.join(directory, LOG_FILE_NAME);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const created = openForAppend(file);
    try {
      giveToOwnerOf(directory, created);
    } finally {
      closeSync(created);
    }
  } catch (cause) {
    const fact = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new SoarError("FILE_UNWRITABLE", `unable to open the log file '${file}': ${fact}`, {
      hint: `Make the directory writable for this user, or set BACKUP_LOG_DIR to another one.`,
      cause,
    });
  }
  return { path: file, append: appender(file) };
}

function appender(file: string): LogFile["append"] {
  let rotating = false;
  let failure: { readonly error: unknown } | undefined;
  // The lines that come meanwhile go wherever the name leads, which is the old file or the new one.
  const rotate = async (): Promise<void> => {
    const { rotateLog } = await import("./rotate-log.ts");
    await rotateLog(file, new Date());
  };
  return (line) => {
    const size = appendLine(file, line);
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
function appendLine(file: string, line: string): number {
  const descriptor = openForAppend(file);
  try {
    giveToOwnerOf(path.dirname(file), descriptor);
    writeSync(descriptor, `${line}\n`);
    return fstatSync(descriptor).size;
  } finally {
    closeSync(descriptor);
  }
}

function openForAppend(file: string): number {
  // No symbolic links: root writes here too, into a directory that belongs to postgres.
  return openSync(
    file,
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    0o640,
  );
}

/** A log that a restore by root begins must not lock out the backups by postgres that follow. */
function giveToOwnerOf(directory: string, descriptor: number): void {
  if (process.geteuid?.() !== 0) return;
  const owner = statSync(directory);
  const stats = fstatSync(descriptor);
  if (stats.uid !== owner.uid && stats.size === 0) fchownSync(descriptor, owner.uid, owner.gid);
}
