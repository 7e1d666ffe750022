import { basename, dirname, join } from "node:path";
import { meansAbsent, moveEntry, namesIfPresent, removeFile } from "@soar/durable-files";

/** Logs that were put aside and stay. */
export const KEPT_LOGS = 4;

/** A log says what was, and nothing depends on it after a crash. */
const LOG = { sync: "none" } as const;

/**
 * Puts a log aside under a name with the time and this process, which no other process chooses, and removes the oldest of those
 * that were put aside before. Rejects with `FILE_UNWRITABLE` or `FILE_UNREADABLE`.
 */
export async function rotateLog(file: string, now: Date): Promise<void> {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  try {
    await moveEntry(file, `${file}.${stamp}-${process.pid}`, LOG);
  } catch (error) {
    // Another process, or logrotate, was first.
    if (!meansAbsent(error)) throw error;
  }
  const directory = dirname(file);
  const prefix = `${basename(file)}.`;
  const aside = ((await namesIfPresent(directory)) ?? []).filter(
    (name) => name.startsWith(prefix) && /^\d{8}T\d{6}Z-\d+$/.test(name.slice(prefix.length)),
  );
  for (const name of aside.sort().slice(0, -KEPT_LOGS)) await removeFile(join(directory, name), LOG);
}
