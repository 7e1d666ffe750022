import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory, removeFile, replaceFile, statIfPresent } from "@soar/durable-files";
import { formatBinding, type RepositoryBinding } from "./repository-binding.ts";

export interface AcknowledgementOptions {
  /** The archiver's spool directory; acknowledgements lie in `ack/` below it. */
  readonly spoolDir: string;
  readonly binding: RepositoryBinding;
  /** Whether the launcher is to print a line for each (`BACKUP_LOG_ARCHIVE=on`). */
  readonly logsArchive: boolean;
  /** For how long an acknowledgement is believed, in milliseconds; without it until it is removed. */
  readonly believedMs?: number | undefined;
}

/**
 * Small files by which the launcher knows, without starting Node, that a WAL file is in the bucket. Each is bound to device,
 * inode, size and ctime of that very file, and to the repository:
 *
 *     1 device inode size ctime of the file      2 the same of the env file, or -
 *     3 bucket      4 endpoint      5 where these two come from      6 on|off: log a line      7 system identifier
 *     8 and 9 from when until when it is believed, in seconds since 1970; or - and -
 *
 * They survive nothing: the archiver removes all of them when it starts, and each as soon as PostgreSQL was answered. Those of a
 * command, which nobody removes, are believed for a short time only.
 *
 * While a file is on its way, an empty one in `busy/` says so: the launcher then waits a moment for the acknowledgement,
 * because starting Node, on the cores that the archiver needs, takes longer than most files.
 */
export interface Acknowledgements {
  put(name: string, file: { readonly identity: string; readonly systemIdentifier: string }): Promise<void>;
  remove(name: string): Promise<void>;
  /** Says that the file is on its way, until `end`. */
  begin(name: string): Promise<void>;
  end(name: string): Promise<void>;
  /** Removes those that were written longer ago than so many milliseconds, whoever wrote them. */
  removeOlderThan(ms: number): Promise<void>;
  /** Removes all, whoever wrote them. */
  clear(): Promise<void>;
}

/** Nothing is synced: an acknowledgement that a crash takes away costs one start of Node, and none may outlive its archiver. */
const GONE = {
  sync: "none",
  hint: "The directory of --spool has to belong to the server's user, who runs the archiver.",
} as const;
const NEW = { ...GONE, mode: 0o600 } as const;

export function createAcknowledgements({
  spoolDir,
  binding,
  logsArchive,
  believedMs,
}: AcknowledgementOptions): Acknowledgements {
  const directory = join(spoolDir, "ack");
  const busy = join(spoolDir, "busy");
  const repository = formatBinding(binding);
  return {
    async put(name, { identity, systemIdentifier }) {
      if (repository === undefined) return;
      const lines = [identity, repository, logsArchive ? "on" : "off", systemIdentifier, ...believed(believedMs)];
      const text = `${lines.join("\n")}\n`;
      await replaceFile(join(directory, name), text, NEW);
    },
    async remove(name) {
      await removeFile(join(directory, name), GONE);
    },
    async begin(name) {
      await replaceFile(join(busy, name), "", NEW);
    },
    async end(name) {
      await removeFile(join(busy, name), GONE);
    },
    async removeOlderThan(ms) {
      const until = Date.now() - ms;
      await empty(directory, async (path) => ((await statIfPresent(path))?.mtimeMs ?? until) < until);
    },
    async clear() {
      await empty(directory);
      await empty(busy);
    },
  };
}

function believed(forMs: number | undefined): readonly [string, string] {
  if (forMs === undefined) return ["-", "-"];
  const now = Math.floor(Date.now() / 1000);
  return [String(now), String(now + Math.floor(forMs / 1000))];
}

async function empty(
  directory: string,
  isToGo: (path: string) => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  await makeDirectory(directory, { ...GONE, mode: 0o700 });
  for (const path of (await readdir(directory)).map((name) => join(directory, name)))
    if (await isToGo(path)) await removeFile(path, GONE);
}
