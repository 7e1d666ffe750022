import { gzipSync } from "node:zlib";
import { hasErrorCode, SoarError } from "@soar/errors";
import { ACCESS_FILE_SETTINGS, majorOfVersionNumber, findMajor } from "@soar/pg-tools/majors";
import type { SqlConnection } from "@soar/pg-tools/replication";
import type { ConfigForm } from "@soar/pg-tools/recovery-config";
import { SMALL_OBJECT_LIMIT_BYTES } from "@soar/repository";
import { followIncludes, type KnownFile, type ServerConfig, type ServerConfigFile } from "./follow-includes.ts";
import { ARCHIVE_END_BYTES, formatHeader, paddingOf } from "@soar/seekable-tar/members";

/**
 * Every file of the server's configuration, wherever it lies: on Debian it is in /etc and no base backup holds it
 * (safety, trap 24). So are lists that access rules name, as `@users.txt`. Read through the server, so that it works from
 * another host too. Rejects with `SERVER_DENIED` when the user may not read files: found out before the backup begins, because
 * a restore without them cannot start.
 */
export async function readServerConfig(
  sql: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ServerConfig> {
  const files = await readKnownFiles(sql, options);
  return await followIncludes(sql, files, options);
}

/** Those that the server lists: what it reads, as far as a line of it means something. */
async function readKnownFiles(
  sql: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<KnownFile[]> {
  const included =
    findMajor(majorOfVersionNumber(sql.serverVersion))?.features.accessIncludes === true
      ? "UNION SELECT file_name, NULL FROM pg_hba_file_rules() UNION SELECT file_name, NULL FROM pg_ident_file_mappings()"
      : "";
  try {
    const rows = await sql.query<{ path: string; content: Buffer | null; root: ConfigForm | null }>(
      `SELECT path, pg_read_binary_file(path, 0, 16777216, true) AS content, max(root) AS root FROM (
         SELECT setting AS path, CASE name WHEN 'config_file' THEN 'settings' ELSE 'access' END AS root
           FROM pg_settings WHERE name = 'config_file' OR name = ANY($1)
         UNION SELECT sourcefile, NULL FROM pg_show_all_file_settings()
         ${included}
       ) files WHERE path <> '' GROUP BY path ORDER BY path`,
      [ACCESS_FILE_SETTINGS],
      options,
    );
    return rows.flatMap(({ path, content, root }) =>
      content === null ? [] : [{ path, content, root: root ?? undefined }],
    );
  } catch (cause) {
    if (!hasErrorCode(cause, "SERVER_DENIED")) throw cause;
    throw new SoarError("SERVER_DENIED", "unable to read the server's configuration files: permission denied", {
      cause,
      hint: `As a superuser: ${await grantsFor(sql, options)}`,
    });
  }
}

/** The functions themselves, because the views over them have permissions of their own. */
async function grantsFor(sql: SqlConnection, options: { readonly signal?: AbortSignal | undefined }): Promise<string> {
  const [row] = await sql.query<{ role: string }>("SELECT quote_ident(current_user) AS role", [], options);
  const role = row?.role ?? "";
  return `GRANT pg_read_server_files, pg_monitor TO ${role}; GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean), pg_show_all_file_settings(), pg_hba_file_rules(), pg_ident_file_mappings() TO ${role};`;
}

/**
 * The files as a tar.gz with their absolute paths less the leading slash, as `tar` itself stores them. Throws
 * `SERVER_UNSUITABLE` when they are more than a restore would read.
 */
export function packServerConfig(files: readonly ServerConfigFile[], modifiedAt: Date): Buffer {
  const blocks = files.flatMap(({ path, content }) => [
    formatHeader({
      path: path.replace(/^\/+/, ""),
      type: "file",
      mode: 0o600,
      uid: 0,
      gid: 0,
      size: content.length,
      mtime: modifiedAt.getTime() / 1000,
      link: "",
    }),
    content,
    Buffer.alloc(paddingOf(content.length)),
  ]);
  const plain = Buffer.concat([...blocks, Buffer.alloc(ARCHIVE_END_BYTES)]);
  if (plain.length > SMALL_OBJECT_LIMIT_BYTES)
    throw new SoarError(
      "SERVER_UNSUITABLE",
      `unable to keep the server's configuration: its ${files.length} files have ${plain.length} bytes, at most ${SMALL_OBJECT_LIMIT_BYTES} can be kept`,
      { hint: "Look for an include directive that names a file which is no configuration." },
    );
  return gzipSync(plain);
}
