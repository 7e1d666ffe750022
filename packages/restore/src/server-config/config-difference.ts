import { dirname, isAbsolute, relative } from "node:path";
import {
  lstatIfPresent,
  makeDirectory,
  moveEntry,
  type Owner,
  ownerOf,
  readLinkIfPresent,
  readTextIfPresent,
  replaceFile,
} from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import type { BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { nearestExisting } from "../data-directory.ts";
import { formsOf } from "./legal-files.ts";
import { readSavedConfig } from "./saved-config.ts";
import { keptPrefix } from "../status/kept-record.ts";

/** A configuration file outside of the data directory that is not as it was when the backup was taken. */
export interface ConfigDifference {
  readonly path: string;
  /** Undefined when there is none. */
  readonly present: string | undefined;
  readonly saved: string;
  /** It says who may log in. */
  readonly isAccess: boolean;
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
  const files = await readSavedConfig(store, backup, options);
  const forms = formsOf(files, backup);
  for (const [path, content] of files) {
    const inside = relative(backup.source.dataDirectory, path);
    if (!inside.startsWith("..") && !isAbsolute(inside)) continue;
    const present = await readPresent(path);
    const saved = content.toString("utf8");
    if (present !== saved) differences.push({ path, present, saved, isAccess: forms.get(path) === "access" });
  }
  return differences;
}

/** What a link leads to is not the server's configuration to anybody but the administrator who made it, and is not shown. */
async function readPresent(path: string): Promise<string | undefined> {
  const target = await readLinkIfPresent(path);
  return target === undefined ? await readTextIfPresent(path) : `a link to ${target}\n`;
}

export interface ConfigPlaces {
  /** Who runs the server, where this is root. */
  readonly owner?: Owner | undefined;
  readonly systemEnv: Readonly<Record<string, string>>;
}

/**
 * Rejects with `FILE_UNWRITABLE` unless they lie where configuration of this server may: in directories of its user, or
 * below that of Debian's clusters. Where they lie says the repository, which may not have root write anywhere else.
 */
export async function requireConfigPlaces(
  differences: readonly ConfigDifference[],
  { owner, systemEnv }: ConfigPlaces,
): Promise<void> {
  for (const { path } of differences) {
    const directory = await nearestExisting(dirname(path));
    const { uid } = await ownerOf(directory);
    if (owner === undefined || uid === owner.uid || (uid === 0 && isDebians(path, systemEnv))) continue;
    throw new SoarError(
      "FILE_UNWRITABLE",
      `unable to put '${path}' back: '${directory}' belongs to user ${uid} and not to the server's, ${owner.uid}`,
      {
        hint: `If the server's configuration belongs there, run: install -d -o ${owner.uid} -g ${owner.gid} '${dirname(path)}'. Else leave --with-config out. Nothing was changed.`,
      },
    );
  }
}

/** Where postgresql-common keeps the configuration of all clusters; the variable is its own (PgCommon.pm). */
function isDebians(path: string, env: Readonly<Record<string, string>>): boolean {
  const way = relative(env["PG_CLUSTER_CONF_ROOT"] ?? "/etc/postgresql", path);
  return !way.startsWith("..") && !isAbsolute(way);
}

/** Puts them back, for the server's user. What was there is kept under another name. Rejects as `requireConfigPlaces` does. */
export async function putServerConfig(
  differences: readonly ConfigDifference[],
  { now, ...places }: ConfigPlaces & { readonly now: Date },
): Promise<void> {
  await requireConfigPlaces(differences, places);
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  for (const { path, saved, isAccess } of differences) {
    await makeDirectory(dirname(path), { mode: 0o755, owner: places.owner, sync: "directory" });
    const owned = { owner: places.owner, sync: "directory", within: { base: dirname(path) } } as const;
    // A restore that is interrupted in between finds none and puts it.
    if ((await lstatIfPresent(path)) !== undefined)
      await moveEntry(path, keptPrefix(path) + stamp, { ...owned, sync: "none" });
    // As Debian has it: who may log in is nobody's business. The server is started with it next, also after a crash.
    await replaceFile(path, saved, { ...owned, mode: isAccess ? 0o640 : 0o644 });
  }
}
