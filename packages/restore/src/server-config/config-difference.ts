import { dirname, isAbsolute, relative } from "node:path";
import { makeDirectory, moveEntry, readTextIfPresent, replaceFile } from "@soar/durable-files";
import type { BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readSavedConfig } from "./saved-config.ts";
import { keptPrefix } from "../status/kept-record.ts";
import type { ServerUser } from "../chown-tree.ts";

/** A configuration file outside of the data directory that is not as it was when the backup was taken. */
export interface ConfigDifference {
  readonly path: string;
  /** Undefined when there is none. */
  readonly present: string | undefined;
  readonly saved: string;
}

/**
 * What `--with-config` would change: files that were saved with the backup and lie outside of the data directory, as on
 * Debian. Those inside of it come with the backup itself.
 */
export async function compareServerConfig(
  store: ObjectStore,
  backup: BackupRecord,
  options: CallOptions,
): Promise<ConfigDifference[]> {
  const differences: ConfigDifference[] = [];
  for (const [path, content] of await readSavedConfig(store, backup, options)) {
    const inside = relative(backup.source.dataDirectory, path);
    if (!inside.startsWith("..") && !isAbsolute(inside)) continue;
    const present = await readTextIfPresent(path);
    const saved = content.toString("utf8");
    if (present !== saved) differences.push({ path, present, saved });
  }
  return differences;
}

/** Puts them back, for the server's user. What was there is kept under another name. */
export async function putServerConfig(
  differences: readonly ConfigDifference[],
  owner: ServerUser | undefined,
  now: Date,
): Promise<void> {
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  for (const { path, present, saved } of differences) {
    await makeDirectory(dirname(path), { mode: 0o755, owner, sync: "directory" });
    // A restore that is interrupted in between finds none and puts it.
    if (present !== undefined) await moveEntry(path, keptPrefix(path) + stamp, { sync: "none" });
    // As Debian has it: who may log in is nobody's business. The server is started with it next, also after a crash.
    await replaceFile(path, saved, { mode: /hba|ident/.test(path) ? 0o640 : 0o644, owner, sync: "directory" });
  }
}
