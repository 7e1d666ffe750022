import { parseLsn } from "@soar/pg-tools";
import { createFileChecksum, type BackupManifest } from "@soar/pg-tools/manifest";
import { SAMPLE_TABLESPACE, type SampleFiles } from "./sample-files.ts";
import type { Positions } from "./sample-positions.ts";

/** The manifest of these files, without its own checksum. */
export function manifestOf(
  { base, tablespace }: SampleFiles,
  { timeline, startLsn, stopLsn }: Positions,
  algorithm: "CRC32C" | "SHA256",
): Omit<BackupManifest, "checksum"> {
  const paths = {
    ...base,
    ...Object.fromEntries(
      Object.entries(tablespace).map(([path, content]) => [`pg_tblspc/${SAMPLE_TABLESPACE}/${path}`, content]),
    ),
  };
  const files = Object.entries(paths).map(([path, content]) => {
    const checksum = createFileChecksum(algorithm);
    checksum.update(content);
    return {
      path,
      pathBytes: undefined,
      size: content.length,
      lastModified: new Date("2025-01-05T02:00:00Z"),
      checksum: { algorithm, value: checksum.digest() },
    };
  });
  return {
    version: 1,
    systemIdentifier: undefined,
    walRanges: [{ timeline, startLsn: parseLsn(startLsn), endLsn: parseLsn(stopLsn) }],
    files,
  };
}
