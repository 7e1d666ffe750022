import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStore, readObject } from "@soar/storage";
import { startS3Server } from "@soar-tooling/s3-server";
import { runProgram } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import { createSampleRepository } from "./sample-repository.ts";

const BINARY = fileURLToPath(new URL("../bin/soar-base-backup.js", import.meta.url));

test.each([
  [true, /^\S+ \S+ are removed, and nothing becomes free: the bucket keeps them as old versions/m],
  [false, /^\S+ \S+ become free\.$/m],
])(
  "expire --dry-run on a bucket with versioning %j says what becomes free",
  { timeout: 60_000 },
  async (versioning, words) => {
    const directory = mkdtempSync(join(tmpdir(), "soar-versioned-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const s3 = await startS3Server({ bucket: { name: "soar-versioned", versioning } });
    onTestFinished(() => s3.close());
    const { store } = await createSampleRepository(directory, { ages: [60, 50, 36, 29, 22, 15, 8, 1] });
    const bucket = openStore({
      url: "s3://soar-versioned/p",
      endpoint: s3.endpoint,
      region: s3.region,
      credentials: s3,
    });
    onTestFinished(() => bucket.close());
    for await (const { key } of store.list("")) await bucket.put(key, await readObject(store, key));
    const { status, stdout, stderr } = await runProgram([process.execPath, "--", BINARY, "expire", "--dry-run"], {
      cwd: directory,
      mayFail: true,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: directory,
        BACKUP_BUCKET: "s3://soar-versioned/p",
        AWS_ENDPOINT_URL: s3.endpoint,
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
        AWS_DEFAULT_REGION: s3.region,
      },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(words);
  },
);
