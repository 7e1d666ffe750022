import { quoteLiteral } from "./quote-sql.ts";

/** Options of BASE_BACKUP (PostgreSQL documentation, "Streaming Replication Protocol"). */
export interface BaseBackupOptions {
  /** Written into backup_label; up to 1,024 bytes. */
  readonly label: string;
  /** `fast` asks for a checkpoint at once, `spread` (the server's default) lets the next one take its time. */
  readonly checkpoint?: "fast" | "spread";
  /** Whether to ask for a manifest, and with which checksum of every file; CRC32C unless said otherwise. */
  readonly manifest?: "NONE" | "CRC32C" | "SHA224" | "SHA256" | "SHA384" | "SHA512" | false;
  /** Let the server check page checksums while it reads; true unless said otherwise. Without data checksums nothing is checked. */
  readonly verifyChecksums?: boolean;
  /** Limit in kilobytes a second, 32 to 1,048,576. */
  readonly maxRateKilobytes?: number;
}

/**
 * The command. WAIT false: the server must not wait for its archive, the caller does that with a deadline of its own.
 * WAL false: segments come from the archive. TARGET 'client' selects the one-stream protocol of PostgreSQL 15; without
 * it the server speaks the old one with a copy per tablespace. TABLESPACE_MAP puts tablespace_map into the base archive.
 */
export function baseBackupCommand(options: BaseBackupOptions): string {
  const manifest = options.manifest ?? "CRC32C";
  const parts = [
    `LABEL ${quoteLiteral(options.label)}`,
    "TARGET 'client'",
    "PROGRESS true",
    `CHECKPOINT ${quoteLiteral(options.checkpoint ?? "spread")}`,
    "WAIT false",
    "WAL false",
    "TABLESPACE_MAP true",
    ...(manifest === false ? ["MANIFEST 'no'"] : ["MANIFEST 'yes'", `MANIFEST_CHECKSUMS ${quoteLiteral(manifest)}`]),
    `VERIFY_CHECKSUMS ${options.verifyChecksums ?? true}`,
    ...(options.maxRateKilobytes === undefined ? [] : [`MAX_RATE ${options.maxRateKilobytes}`]),
  ];
  return `BASE_BACKUP (${parts.join(", ")})`;
}
