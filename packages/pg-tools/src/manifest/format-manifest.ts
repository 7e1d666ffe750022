import { createHash } from "node:crypto";
import { formatServerLsn, type LsnStyle } from "../wal-names/lsn.ts";
import type { BackupManifest, ManifestFile } from "./backup-manifest.ts";

/** The text of a manifest as a server of this style writes it (`AddFileToBackupManifest` in backup_manifest.c), with a checksum of its own. */
export function formatBackupManifest(manifest: Omit<BackupManifest, "checksum">, style: LsnStyle): string {
  const identifier =
    manifest.systemIdentifier === undefined ? "" : `"System-Identifier": ${manifest.systemIdentifier},\n`;
  const ranges = manifest.walRanges.map(
    ({ timeline, startLsn, endLsn }) =>
      `{ "Timeline": ${timeline}, "Start-LSN": "${formatServerLsn(startLsn, style)}", "End-LSN": "${formatServerLsn(endLsn, style)}" }`,
  );
  const text = `{ "PostgreSQL-Backup-Manifest-Version": ${manifest.version},\n${identifier}"Files": [${listOf(manifest.files.map(formatFile))}],\n"WAL-Ranges": [${listOf(ranges)}],\n`;
  return `${text}"Manifest-Checksum": "${createHash("sha256").update(text).digest("hex")}"}\n`;
}

function listOf(items: readonly string[]): string {
  return `\n${items.join(",\n")}${items.length === 0 ? "" : "\n"}`;
}

function formatFile({ path, pathBytes, size, lastModified, checksum }: ManifestFile): string {
  const name =
    pathBytes === undefined ? `"Path": ${JSON.stringify(path)}` : `"Encoded-Path": "${pathBytes.toString("hex")}"`;
  const modified = lastModified
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " GMT");
  const sum =
    checksum === undefined ? "" : `, "Checksum-Algorithm": "${checksum.algorithm}", "Checksum": "${checksum.value}"`;
  return `{ ${name}, "Size": ${size}, "Last-Modified": "${modified}"${sum} }`;
}
