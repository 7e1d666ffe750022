import { dirname } from "node:path";
import { hasErrorCode, messageOf } from "@soar/errors";
import { type ConfigForm, INCLUDE_DEPTH, type IncludeDirective, includesOf } from "@soar/pg-tools/recovery-config";
import type { SqlConnection } from "@soar/pg-tools/replication";
import { decodeName } from "@soar/seekable-tar/members";

export interface ServerConfigFile {
  /** Absolute path on the server. */
  readonly path: string;
  readonly content: Buffer;
}

/** A file that the server lists, with its form where the server begins with it. */
export interface KnownFile extends ServerConfigFile {
  readonly root: ConfigForm | undefined;
}

/** The server's configuration, as far as it can be kept. */
export interface ServerConfig {
  readonly files: readonly ServerConfigFile[];
  /** What these name and what is not among them, one sentence each: it is in no backup. Of many the first, and how many more. */
  readonly leftOut: readonly string[];
}

/** Together, of those that the server does not list. */
const MAX_FILES = 1000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Of what is left out; they are in the record of every backup. */
const MAX_SENTENCES = 20;
const LEFT_OUT = ", is in no backup: ";
const MORE_LEFT_OUT = " more files that the configuration names are in no backup";

/** Of the warnings of a backup those that say what is not in its configuration. */
export function leftOutAmong(warnings: readonly string[]): string[] {
  return warnings.filter((text) => text.includes(LEFT_OUT) || text.endsWith(MORE_LEFT_OUT));
}

interface FollowOptions {
  readonly signal?: AbortSignal | undefined;
}

interface Followed {
  readonly files: Map<string, Buffer>;
  /** Paths of what is left out. */
  readonly leftOut: Set<string>;
  /** Of the first of them. */
  readonly sentences: string[];
  count: number;
  bytes: number;
}

/**
 * Adds what configuration files name and the server does not list: lists of names in access rules (`@users.txt`), and included files of which
 * no line means anything, without which a server does not start either. What cannot be kept is told, and ends nothing.
 */
export async function followIncludes(
  sql: SqlConnection,
  known: readonly KnownFile[],
  options: FollowOptions,
): Promise<ServerConfig> {
  const followed: Followed = {
    files: new Map(known.map(({ path, content }) => [path, content])),
    leftOut: new Set(),
    sentences: [],
    count: 0,
    bytes: 0,
  };
  const seen = new Set<string>();
  let level = known.flatMap(({ path, root }) => (root === undefined ? [] : [{ path, form: root }]));
  // Those of one depth before those below: the shortest way to a file counts.
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: typeof level = [];
    for (const { path, form } of level) {
      const content = followed.files.get(path);
      if (content === undefined || seen.has(path)) continue;
      seen.add(path);
      for (const directive of includesOf(decodeName(content), path, form)) {
        if (directive.kind !== "directory") await addNamed(sql, followed, { ...directive, by: path, depth }, options);
        for (const target of targetsOf(directive, known)) next.push({ path: target, form });
      }
    }
    level = next;
  }
  const { files, leftOut, sentences } = followed;
  const more = leftOut.size - sentences.length;
  return {
    files: [...files].map(([path, content]) => ({ path, content })),
    leftOut: more === 0 ? sentences : [...sentences, `${more}${MORE_LEFT_OUT}`],
  };
}

/** Of a directory the server lists whatever means anything. */
function targetsOf({ kind, target }: IncludeDirective, known: readonly KnownFile[]): string[] {
  if (kind !== "directory") return [target];
  return known.flatMap(({ path }) => (dirname(path) === target && path.endsWith(".conf") ? [path] : []));
}

interface NamedFile extends IncludeDirective {
  /** The file that names it, and how deep that lies. */
  readonly by: string;
  readonly depth: number;
}

async function addNamed(
  sql: SqlConnection,
  followed: Followed,
  file: NamedFile,
  options: FollowOptions,
): Promise<void> {
  const { kind, target, by, depth } = file;
  if (followed.files.has(target) || followed.leftOut.has(target)) return;
  const found = await readNamed(sql, followed, { target, depth }, options);
  if (Buffer.isBuffer(found)) {
    followed.files.set(target, found);
    followed.count += 1;
    followed.bytes += found.length;
  } else if (found !== ABSENT || kind !== "file-if-there") {
    followed.leftOut.add(target);
    if (followed.sentences.length < MAX_SENTENCES)
      followed.sentences.push(`'${target}', which '${by}' names${LEFT_OUT}${found}`);
  }
}

const ABSENT = "it is not there";

/** Its content, or why there is none. */
async function readNamed(
  sql: SqlConnection,
  { count, leftOut, bytes }: Followed,
  { target, depth }: { readonly target: string; readonly depth: number },
  options: FollowOptions,
): Promise<Buffer | string> {
  if (depth >= INCLUDE_DEPTH) return `it is named by a chain of more than ${INCLUDE_DEPTH} files`;
  // Each is asked for by itself.
  if (count + leftOut.size >= MAX_FILES) return `more than ${MAX_FILES} files are named`;
  if (!target.isWellFormed()) return "its name is no UTF-8";
  const room = MAX_BYTES - bytes;
  try {
    const [row] = await sql.query<{ content: Buffer | null }>(
      "SELECT pg_read_binary_file($1, 0, $2, true) AS content",
      [target, room + 1],
      options,
    );
    const content = row?.content ?? ABSENT;
    return content.length > room ? `such files have more than ${MAX_BYTES} bytes` : content;
  } catch (error) {
    if (!hasErrorCode(error, "SERVER_DENIED", "SERVER_FAILED")) throw error;
    return messageOf(error);
  }
}
