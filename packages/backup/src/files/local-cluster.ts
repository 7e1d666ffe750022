import { closeSync, readFileSync } from "node:fs";
import { access, constants, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { meansAbsent, ownerOf, readLinkIfPresent, unreadable } from "@soar/durable-files";
import { type HeldTree, holdTree, openFileBelow, type ReadableTree } from "@soar/durable-files/reading";
import { messageOf, SoarError } from "@soar/errors";
import { type ControlFile, readControlFile } from "@soar/pg-tools/control-file";
import type { ServerFacts, SqlConnection } from "@soar/pg-tools/replication";
import { readServerGroups } from "./server-groups.ts";

/** A tablespace as the data directory leads to it, whatever a catalog that is being changed says. */
export interface LocalTablespace {
  readonly oid: number;
  /** Where its files are. */
  readonly location: string;
  /** The same, held open; undefined where it is not there. */
  readonly tree: HeldTree | undefined;
  /** The same relative to the data directory, when it lies in it. */
  readonly inside: string | undefined;
}

const TABLESPACES = "pg_tblspc";
const CONTROL_FILE = "global/pg_control";
/** The server replaces the file in one write, which a reader may meet half-way. */
const ATTEMPTS = 50;

/**
 * Why the files of this server cannot be read here; undefined when nothing speaks against it yet. That they are this server's
 * is proved by `requireSameCluster`, once a backup has begun.
 */
export async function whyNotLocal(sql: SqlConnection, { dataDirectory }: ServerFacts): Promise<string | undefined> {
  if (dataDirectory === undefined) return "the role may not ask for data_directory (GRANT pg_read_all_settings)";
  const [rights] = await sql.query<{ may: boolean }>(
    "SELECT has_function_privilege('pg_backup_start(text, boolean)', 'EXECUTE') AND has_function_privilege('pg_backup_stop(boolean)', 'EXECUTE') AS may",
  );
  if (rights?.may !== true) return "the role may not call pg_backup_start and pg_backup_stop";
  try {
    for (const place of ["", "base", "global", CONTROL_FILE, TABLESPACES])
      await access(join(dataDirectory, place), constants.R_OK);
    return undefined;
  } catch (error) {
    return `its data directory '${dataDirectory}' cannot be read here: ${messageOf(error)}`;
  }
}

/**
 * Holds the data directory that the server names: everything is read through it, so that nobody puts another one in its place, and
 * as root nothing that the server's user could not read itself.
 */
export async function holdDataDirectory(sql: SqlConnection, path: string): Promise<HeldTree> {
  try {
    const { uid, gid } = await ownerOf(path);
    return await holdTree(path, { owner: { uid, gid }, groups: await readServerGroups(sql, uid) });
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * Proves that a directory is the data directory of this very server, and no copy of it: both say the same of a checkpoint that
 * was made a moment ago, for this backup. Rejects with `SERVER_UNSUITABLE`.
 */
export async function requireSameCluster(
  sql: SqlConnection,
  dataDirectory: ReadableTree,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ControlFile> {
  let differs = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const here = readControlFile(readWholeControlFile(dataDirectory));
    const [there] = await sql.query<{ id: string; checkpoint: string; timeline: number }>(
      "SELECT system_identifier::text AS id, (checkpoint_lsn - '0/0')::text AS checkpoint, timeline_id AS timeline FROM pg_control_system(), pg_control_checkpoint()",
      [],
      options,
    );
    const [own, server] = [
      [here.systemIdentifier, here.checkpointLsn, here.timeline].join(" "),
      [there?.id, there?.checkpoint, there?.timeline].join(" "),
    ];
    if (own === server) return here;
    differs = `its pg_control has ${own}, the server ${server}`;
  }
  throw new SoarError(
    "SERVER_UNSUITABLE",
    `unable to read the files of this server: '${dataDirectory.path}' on this machine is not its data directory (${differs})`,
    { hint: "Set BACKUP_METHOD=replication, which reads through the server." },
  );
}

/** pg_control as it is right now, with the checksum that belongs to it. */
export function readWholeControlFile(dataDirectory: ReadableTree): Buffer {
  let failure: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const bytes = readBelow(dataDirectory, CONTROL_FILE);
    try {
      readControlFile(bytes);
      return bytes;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function readBelow(tree: ReadableTree, path: string): Buffer {
  try {
    const file = openFileBelow(tree, Buffer.from(path));
    if (file === undefined) throw new Error("it is no ordinary file");
    try {
      return readFileSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw unreadable(join(tree.path, path), error);
  }
}

/**
 * The tablespaces of `pg_tblspc`, by their OIDs (`do_pg_backup_start`). Those of nobody but the server's user: links there are that
 * user's. Rejects with `FILE_UNREADABLE`, and holds none of them then.
 */
export async function readLocalTablespaces(dataDirectory: HeldTree): Promise<LocalTablespace[]> {
  const names = (await readdir(join(dataDirectory.path, TABLESPACES))).filter((name) => /^\d+$/.test(name));
  const found: LocalTablespace[] = [];
  try {
    for (const name of names.toSorted()) found.push(await holdTablespace(dataDirectory, name));
    return found;
  } catch (error) {
    for (const { tree } of found) await tree?.[Symbol.asyncDispose]();
    throw error;
  }
}

async function holdTablespace(
  { path: dataDirectory, owner, reader }: HeldTree,
  name: string,
): Promise<LocalTablespace> {
  const link = await readLinkIfPresent(join(dataDirectory, TABLESPACES, name));
  // What is read as text would be taken for one that is not there, and its files be left out.
  if (link?.includes("\u{FFFD}") === true)
    throw new SoarError("SERVER_UNSUITABLE", `unable to read tablespace ${name}: its path is no UTF-8`, {
      hint: "Set BACKUP_METHOD=replication, which reads through the server.",
    });
  // Without a link it is one of tests, which lies where the link would be.
  const location = link ?? join(dataDirectory, TABLESPACES, name);
  const inside = relative(dataDirectory, location);
  const tree = await holdTree(location, { owner, groups: reader?.groups }).catch((error: unknown) => {
    if (meansAbsent(error)) return undefined;
    throw unreadable(location, error);
  });
  return { oid: Number(name), location, tree, inside: inside.startsWith("..") ? undefined : inside };
}
