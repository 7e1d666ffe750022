import { expect, test } from "vitest";
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from "./checksum-algorithm.ts";
import { createFileChecksum } from "./file-checksum.ts";
import { formatBackupManifest } from "./format-manifest.ts";
import { parseBackupManifest } from "./manifest-reader.ts";
import { requireMajor } from "../majors/find-major.ts";
import { replaceInManifest } from "./replace-in-manifest.ts";

const content = Buffer.from("16420 /data/fast\n");

function manifestOf(algorithm: ChecksumAlgorithm | undefined): Buffer {
  const file = (path: string) => ({
    path,
    pathBytes: undefined,
    size: 3,
    lastModified: new Date(0),
    checksum: algorithm && { algorithm, value: sumOf(algorithm, Buffer.from(path)) },
  });
  return Buffer.from(
    formatBackupManifest(
      {
        version: 1,
        systemIdentifier: undefined,
        files: ["a", "tablespace_map", "z"].map(file),
        walRanges: [{ timeline: 1, startLsn: 1n, endLsn: 2n }],
      },
      requireMajor(15),
    ),
  );
}

function sumOf(algorithm: ChecksumAlgorithm, bytes: Buffer): string {
  const sum = createFileChecksum(algorithm);
  sum.update(bytes);
  return sum.digest();
}

test.each([...CHECKSUM_ALGORITHMS, undefined])(
  "%s: one file has another content, and the manifest is right",
  (algorithm) => {
    const before = manifestOf(algorithm);
    const after = replaceInManifest(before, "tablespace_map", content);
    const [expected, found] = [parseBackupManifest(before), parseBackupManifest(after)];
    expect(found.files).toEqual(
      expected.files.map((file) =>
        file.path !== "tablespace_map"
          ? file
          : { ...file, size: content.length, checksum: algorithm && { algorithm, value: sumOf(algorithm, content) } },
      ),
    );
    expect(found.walRanges).toEqual(expected.walRanges);
  },
);

test("a file that it does not name is refused", () => {
  expect(() => replaceInManifest(manifestOf("CRC32C"), "backup_label", content)).toThrow(
    expect.objectContaining({
      code: "FORMAT_INVALID",
      message: expect.stringContaining("does not name 'backup_label'") as string,
    }),
  );
});
