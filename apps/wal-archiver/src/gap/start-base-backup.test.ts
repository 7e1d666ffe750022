import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { baseBackupCommand, takeBaseBackup } from "./start-base-backup.ts";

const PATH = process.env["PATH"] ?? "";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-gap-backup-"));
  process.env["PATH"] = `${directory}:${PATH}`;
});
afterEach(() => {
  process.env["PATH"] = PATH;
  rmSync(directory, { recursive: true });
});

/** A program in the place of the real one that tells what it was given. */
function install(status: number): () => string {
  const program = join(directory, "soar-base-backup");
  const told = join(directory, "told");
  writeFileSync(program, `#!/bin/sh\n{ echo "$@"; echo "$BACKUP_PROXY"; } > ${told}\nexit ${status}\n`);
  chmodSync(program, 0o755);
  return () => readFileSync(told, "utf8");
}

const needed = {
  envFile: "/etc/soar/backup env",
  storage: {
    words: ["--bucket", "s3://other/one", "--ca-file", "/etc/soar/ca.pem"],
    environment: { BACKUP_PROXY: "http://me:word@proxy:1" },
  },
};

test("the base backup goes to the bucket that the command line names, not to that of the env file", async () => {
  const told = install(0);
  await takeBaseBackup(needed, new AbortController().signal);
  expect(told()).toBe(
    "--env-file /etc/soar/backup env --bucket s3://other/one --ca-file /etc/soar/ca.pem\nhttp://me:word@proxy:1\n",
  );
});

test("one that fails is told with the same command, which holds no password", async () => {
  install(7);
  await expect(takeBaseBackup(needed, new AbortController().signal)).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    hint: expect.stringMatching(
      /Run: soar-base-backup --env-file '\/etc\/soar\/backup env' --bucket s3:\/\/other\/one --ca-file \/etc\/soar\/ca\.pem$/,
    ) as string,
  });
  expect(baseBackupCommand({ ...needed, envFile: undefined })).toEqual(["soar-base-backup", ...needed.storage.words]);
});
