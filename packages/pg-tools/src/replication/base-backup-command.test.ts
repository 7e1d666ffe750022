import { expect, test } from "vitest";
import { baseBackupCommand } from "./base-backup-command.ts";

test("what is not asked for is what the server does by itself: a spread checkpoint and a manifest with CRC-32C", () => {
  expect(baseBackupCommand({ label: "it's a test" })).toBe(
    "BASE_BACKUP (LABEL 'it''s a test', TARGET 'client', PROGRESS true, CHECKPOINT 'spread', WAIT false, WAL false, TABLESPACE_MAP true, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', VERIFY_CHECKSUMS true)",
  );
});

test("everything that can be asked for", () => {
  const options = { checkpoint: "fast", manifest: "SHA256", verifyChecksums: false, maxRateKilobytes: 32 } as const;
  expect(baseBackupCommand({ label: "x", ...options })).toBe(
    "BASE_BACKUP (LABEL 'x', TARGET 'client', PROGRESS true, CHECKPOINT 'fast', WAIT false, WAL false, TABLESPACE_MAP true, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256', VERIFY_CHECKSUMS false, MAX_RATE 32)",
  );
  expect(baseBackupCommand({ label: "x", manifest: false })).toContain("MANIFEST 'no', VERIFY_CHECKSUMS true)");
});
