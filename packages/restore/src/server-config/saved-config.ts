import { gunzipSync } from "node:zlib";
import { hasErrorCode, SoarError } from "@soar/errors";
import { BACKUP_OBJECTS, readBackupObject, type BackupRecord, SMALL_OBJECT_LIMIT_BYTES } from "@soar/repository";
import { TarScanner } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { legalFiles } from "./legal-files.ts";

/** Errors of what is saved: not of this host, nor of the way to the repository. */
export const NOT_READABLE = ["REPOSITORY_DAMAGED", "OBJECT_MISSING"] as const;

/**
 * The files of `server-config.tar.gz` by their absolute path on the source, as far as they are its configuration. Rejects with `REPOSITORY_DAMAGED` for anything
 * but a tar.gz of at most `SMALL_OBJECT_LIMIT_BYTES`: a few packed megabytes may be gigabytes plain.
 */
export async function readSavedConfig(
  store: ObjectStore,
  backup: BackupRecord,
  options: CallOptions,
): Promise<Map<string, Buffer>> {
  const packed = await readBackupObject(store, backup, BACKUP_OBJECTS.serverConfig, options);
  try {
    return legalFiles(unpack(gunzipSync(packed, { maxOutputLength: SMALL_OBJECT_LIMIT_BYTES })), backup);
  } catch (cause) {
    const fact = factOf(cause);
    if (fact === undefined) throw cause;
    throw new SoarError(
      "REPOSITORY_DAMAGED",
      `unable to read '${BACKUP_OBJECTS.serverConfig}' of backup '${backup.label}': ${fact}`,
      { hint: "No version of these tools wrote this. Use another backup.", cause },
    );
  }
}

/** What is wrong with the object; undefined for what is wrong with this program. */
function factOf(error: unknown): string | undefined {
  if (hasErrorCode(error, "FORMAT_INVALID")) return error.message;
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  if (error.code === "ERR_BUFFER_TOO_LARGE") return `it has more than ${SMALL_OBJECT_LIMIT_BYTES} bytes unpacked`;
  return error.code.startsWith("Z_") ? `it is no gzip: ${error.message}` : undefined;
}

function unpack(plain: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const scanner = new TarScanner();
  let path: string | undefined;
  let content: Buffer[] = [];
  for (const piece of scanner.scan(plain)) {
    if (piece.kind === "entry") {
      path = piece.entry.type === "file" ? `/${piece.entry.path}` : undefined;
      content = [];
    } else if (piece.kind === "content") content.push(piece.bytes);
    else if (piece.kind === "entry-end" && path !== undefined) files.set(path, Buffer.concat(content));
  }
  scanner.finish();
  return files;
}
