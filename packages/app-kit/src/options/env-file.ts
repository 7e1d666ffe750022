import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { meansAbsent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { parseEnvText } from "./env-dialect.ts";

export const DEFAULT_ENV_FILE = "/etc/soar/backup-env";

/** A value of the env file and where it stands. */
export interface EnvFileEntry {
  readonly value: string;
  readonly line: number;
}

export interface EnvFile {
  readonly path: string;
  /** By variable; the last assignment of a name counts, as in a shell. */
  readonly entries: ReadonlyMap<string, EnvFileEntry>;
  /** Whether the file belongs to the user that runs this program. */
  readonly isOwn: boolean;
}

/** No env file is larger; a device or a log file named by mistake is not read into memory. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the env file after checking that it is safe: a regular file that only its owner may read (or, where root owns it, a group of ours), owned by us, by root,
 * or, when we are root, by the user postgres (the specification gives it to postgres, and restores run with sudo).
 *
 * Returns undefined for a default file that is not there, and for `/dev/null`. Throws `ENV_FILE_MISSING` for a file that
 * was named (`isNamed`) and is not there, or that cannot be read; `ENV_FILE_UNSAFE`; `ENV_FILE_INVALID`.
 */
export function readEnvFile(path: string, options: { readonly isNamed: boolean }): EnvFile | undefined {
  if (path === "/dev/null") return undefined;
  const descriptor = openEnvFile(path, options.isNamed);
  if (descriptor === undefined) return undefined;
  try {
    const stats = fstatSync(descriptor);
    requireSafe(path, stats);
    const entries = new Map<string, EnvFileEntry>();
    for (const { name, value, line } of parseEnvText(decode(readFileSync(descriptor), path), path))
      entries.set(name, { value, line });
    return { path, entries, isOwn: stats.uid === effectiveUid() };
  } finally {
    closeSync(descriptor);
  }
}

function openEnvFile(path: string, isNamed: boolean): number | undefined {
  try {
    // Non-blocking, so that a pipe is refused below instead of being waited for.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (meansAbsent(cause) && !isNamed) return undefined;
    const fact = meansAbsent(cause) ? "it does not exist" : code === "EACCES" ? "permission denied" : code;
    const hint =
      code === "EACCES"
        ? "Run the command as the user that owns the file, for example with sudo -u postgres, or name another one with --env-file."
        : "Check the path given with --env-file or BACKUP_ENV_FILE.";
    throw new SoarError("ENV_FILE_MISSING", `unable to open '${path}': ${fact}`, { hint, cause });
  }
}

function requireSafe(path: string, stats: Stats): void {
  const unsafe = (fact: string, hint: string): SoarError =>
    new SoarError("ENV_FILE_UNSAFE", `unable to trust '${path}': ${fact}`, { hint });
  if (!stats.isFile()) throw unsafe("it is not a regular file", "Name a regular file with --env-file.");
  if (stats.size > MAX_BYTES)
    throw unsafe("it is larger than 1 MiB", "Name the file with the settings with --env-file.");
  if (!isPrivate(stats, trustedGroups)) {
    throw unsafe("group or others have access to it", `It holds credentials. Run: chmod 600 ${path}`);
  }
  if (!isTrustedOwner(stats.uid, { ours: effectiveUid(), postgres: () => accountOf("postgres")?.uid })) {
    throw unsafe(
      `it belongs to the user with the id ${stats.uid}`,
      `It decides where backups go. Run: chown postgres:postgres ${path}`,
    );
  }
}

/**
 * Only its owner may read it, and nobody else write it. Where root owns it, a group of ours may read it as well: secrets are
 * mounted like that (root:postgres 0440), and their mode cannot be changed.
 */
export function isPrivate(
  { mode, uid, gid }: Pick<Stats, "mode" | "uid" | "gid">,
  groups: () => readonly (number | undefined)[],
): boolean {
  if ((mode & 0o077) === 0) return true;
  return uid === 0 && (mode & 0o037) === 0 && groups().includes(gid);
}

/** Our own groups; for root, who is in all of them, that of postgres, to whom such a file is mounted. */
function trustedGroups(): readonly (number | undefined)[] {
  return effectiveUid() === 0 ? [accountOf("postgres")?.gid] : [process.getegid?.(), ...(process.getgroups?.() ?? [])];
}

/** Whether the file of user `uid` may tell us what to do: our own, root's, and for root that of postgres. */
export function isTrustedOwner(
  uid: number,
  users: { readonly ours: number; readonly postgres: () => number | undefined },
): boolean {
  return uid === users.ours || uid === 0 || (users.ours === 0 && uid === users.postgres());
}

function effectiveUid(): number {
  return process.geteuid?.() ?? 0;
}

/** Node has no getpwnam; getent also knows users of LDAP and the like. Reached only by what belongs neither to root nor to us. */
export function accountOf(user: string): { readonly uid: number; readonly gid: number } | undefined {
  const pattern = new RegExp(`^${user}:[^:]*:(\\d+):(\\d+):`, "m");
  const parse = (text: string) => {
    const [, uid, gid] = pattern.exec(text) ?? [];
    return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
  };
  const local = parse(readFileSync("/etc/passwd", "utf8"));
  if (local !== undefined) return local;
  try {
    // Loaded here, because every WAL segment would pay for it otherwise.
    const { execFileSync } = process.getBuiltinModule("node:child_process");
    const line = execFileSync("getent", ["passwd", user], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return parse(line);
  } catch {
    // No such user, or no getent: then nobody but root and ourselves is trusted, and the caller refuses the file.
    return undefined;
  }
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SoarError("ENV_FILE_INVALID", `unable to read '${path}': it is not UTF-8 text`, {
      hint: "Save the file as UTF-8 text.",
      cause,
    });
  }
}
