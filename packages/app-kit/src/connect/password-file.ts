import { readFileSync, statSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** What a line of a password file is matched with. */
export interface PasswordQuery {
  /** Host name, address or socket directory; undefined for the default socket. */
  readonly host: string | undefined;
  readonly port: number;
  /** `replication` for a physical replication connection. */
  readonly database: string;
  readonly user: string;
}

export interface FoundPassword {
  readonly password: string | undefined;
  /** Why the file was left alone although it is there. */
  readonly warning: string | undefined;
}

/** The directories that libpq is built with: Debian and RPM packages, and PostgreSQL's own default. */
const DEFAULT_SOCKET_DIRECTORIES = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

/**
 * Looks the password up as libpq does (src/interfaces/libpq/fe-connect.c, passwordFromFile): first line that matches, `*`
 * for anything, backslash escapes, comments; a file that others may read is left alone, with a warning.
 */
export function findPassword(query: PasswordQuery, file = path.join(homedir(), ".pgpass")): FoundPassword {
  let stats: Stats | undefined;
  let text: string;
  try {
    stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined) return { password: undefined, warning: undefined };
    text = stats.isFile() ? readFileSync(file, "utf8") : "";
  } catch (error) {
    // As in libpq, where no password is needed this must not be a reason to fail: HOME may be somebody else's.
    return {
      password: undefined,
      warning: `the password file '${file}' is left alone: it cannot be read (${String((error as NodeJS.ErrnoException).code)})`,
    };
  }
  if (!stats.isFile())
    return { password: undefined, warning: `the password file '${file}' is left alone: it is not a plain file` };
  if ((stats.mode & 0o077) !== 0) {
    return {
      password: undefined,
      warning: `the password file '${file}' is left alone: group or others have access to it (chmod 600 ${file})`,
    };
  }
  return { password: matchPassword(text, query), warning: undefined };
}

/** The password on the first line that matches, or undefined. */
export function matchPassword(text: string, { host, port, database, user }: PasswordQuery): string | undefined {
  const isDefaultSocket = host === undefined || host === "" || DEFAULT_SOCKET_DIRECTORIES.includes(host);
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    const fields = splitFields(line.replace(/\r$/, ""));
    const [lineHost = "", linePort = "", lineDatabase = "", lineUser = "", password] = fields;
    if (password === undefined) continue;
    const hostMatches = lineHost === "*" || lineHost === host || (isDefaultSocket && lineHost === "localhost");
    const matches = (field: string, wanted: string): boolean => field === "*" || field === wanted;
    if (hostMatches && matches(linePort, String(port)) && matches(lineDatabase, database) && matches(lineUser, user))
      return password;
  }
  return undefined;
}

/** Four fields and the rest; `\:` and `\\` stand for themselves, and an unescaped colon ends the password too. */
function splitFields(line: string): string[] {
  const fields = [""];
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? "";
    if (character === ":") {
      fields.push("");
      continue;
    }
    const isEscape = character === "\\" && at + 1 < line.length;
    if (isEscape) at += 1;
    fields[fields.length - 1] += isEscape ? (line[at] ?? "") : character;
  }
  return fields;
}
