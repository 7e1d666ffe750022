import { chmod, chown, mkdir, readFile, rename, stat } from "node:fs/promises";
import { dirname, isAbsolute, relative } from "node:path";
import type { BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readSavedConfig } from "./saved-config.ts";
import { syncDirectory } from "../status/restore-record.ts";
import { writeDurably } from "../write-durably.ts";
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
    const present = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
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
    await makeDirectory(dirname(path), owner);
    const temporary = `${path}.soar-new`;
    await writeDurably(temporary, [Buffer.from(saved)]);
    // As Debian has it: who may log in is nobody's business.
    await chmod(temporary, /hba|ident/.test(path) ? 0o640 : 0o644);
    if (owner !== undefined) await chown(temporary, owner.uid, owner.gid);
    if (present !== undefined) await rename(path, keptPrefix(path) + stamp);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  }
}

async function makeDirectory(path: string, owner: ServerUser | undefined): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o755 });
  if (made === undefined || owner === undefined) return;
  for (let directory = path; ; directory = dirname(directory)) {
    if ((await stat(directory)).uid !== owner.uid) await chown(directory, owner.uid, owner.gid);
    if (directory === made) return;
  }
}
