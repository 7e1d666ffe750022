import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { requires } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { baseBackup } from "../replication/base-backup.ts";
import { connectReplication } from "../replication/replication-connection.ts";
import { readControlFile } from "../control-file/control-file.ts";
import { requireMajor } from "../majors/find-major.ts";
import type { ManifestFile } from "./backup-manifest.ts";
import { CHECKSUM_ALGORITHMS } from "./checksum-algorithm.ts";
import { createFileChecksum } from "./file-checksum.ts";
import { formatBackupManifest } from "./format-manifest.ts";
import { parseBackupManifest } from "./manifest-reader.ts";

test(
  "a backup manifest is read whole, its checksums are those of the files, and it is written byte for byte",
  requires("postgres-clients"),
  async () => {
    await using cluster = await createTestCluster({ installation: requireInstallation("pg_basebackup") });
    for (const algorithm of [...CHECKSUM_ALGORITHMS, "NONE"] as const) {
      const directory = cluster.tablespaceDir(`backup-${algorithm}`);
      const force = algorithm === "SHA512" ? ["--manifest-force-encode"] : [];
      await cluster.runProgram("pg_basebackup", [
        "-D",
        directory,
        "-X",
        "none",
        "-c",
        "fast",
        "--no-sync",
        `--manifest-checksums=${algorithm}`,
        ...force,
      ]);
      const bytes = await readFile(join(directory, "backup_manifest"));
      const manifest = parseBackupManifest(bytes);
      expect(manifest).toMatchObject({ walRanges: [{ timeline: 1 }] });
      expect(manifest.files.length).toBeGreaterThan(800);
      if (force.length === 0)
        expect(formatBackupManifest(manifest, requireMajor(cluster.installation.major))).toBe(bytes.toString());
      for (const file of manifest.files.slice(0, 50))
        expect(await checksumOf(join(directory, file.path), file)).toEqual(file.checksum);
    }
  },
);

test.each(postgresMajors())(
  "a backup manifest of PostgreSQL $version has the range of WAL that the backup needs",
  async (installation) => {
    await using cluster = await createTestCluster({ installation });
    await using connection = await connectReplication(cluster.connection);
    const chunks: Buffer[] = [];
    const range = { timeline: 1, startLsn: 0n, endLsn: 0n };
    for await (const event of baseBackup(connection, { label: "test", checkpoint: "fast", manifest: "SHA256" })) {
      if (event.type === "start") range.startLsn = event.startLsn;
      if (event.type === "manifest") chunks.push(event.chunk);
      if (event.type === "end") range.endLsn = event.stopLsn;
    }
    const manifest = parseBackupManifest(Buffer.concat(chunks));
    const { systemIdentifier } = readControlFile(await readFile(join(cluster.dataDir, "global/pg_control")));
    expect(manifest).toMatchObject({
      walRanges: [range],
      ...(installation.major < 17 ? { version: 1, systemIdentifier: undefined } : { version: 2, systemIdentifier }),
    });
    expect(formatBackupManifest(manifest, requireMajor(cluster.installation.major))).toBe(
      Buffer.concat(chunks).toString(),
    );
  },
);

async function checksumOf(path: string, file: ManifestFile): Promise<ManifestFile["checksum"]> {
  if (file.checksum === undefined) return undefined;
  const checksum = createFileChecksum(file.checksum.algorithm);
  const bytes = await readFile(path);
  checksum.update(bytes.subarray(0, 100));
  checksum.update(bytes.subarray(100));
  return { algorithm: file.checksum.algorithm, value: checksum.digest() };
}
