import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { updateMetricsFile, writeMetricsFile } from "./metrics-file.ts";
import { sample } from "./sample.ts";

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), "soar-metrics-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("everybody may read the file, whatever the umask of the service", async () => {
  const file = join(place(), "x.prom");
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  await writeMetricsFile("soar-wal-archive", file, "a 1\n");
  expect(statSync(file).mode & 0o777).toBe(0o644);
});

test("the file is replaced whole, and nothing is left beside it", async () => {
  const directory = place();
  const file = join(directory, "x.prom");
  for (const value of [1, 2]) await writeMetricsFile("soar-wal-archive", file, `a ${value}\n`);
  expect(readFileSync(file, "utf8")).toBe("a 2\n");
  expect(readdirSync(directory)).toEqual(["x.prom"]);
});

test("a directory that is not there is named, with the setting that is to be changed", async () => {
  await expect(writeMetricsFile("soar-base-backup", join(place(), "none", "x.prom"), "")).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: expect.stringMatching(
      /^unable to write '.*\/none\/x\.prom': there is no such file or directory/,
    ) as string,
    hint: expect.stringContaining("BACKUP_METRICS_FILE") as string,
  });
});

test("what cannot take the place of the file leaves nothing beside it", async () => {
  const directory = place();
  mkdirSync(join(directory, "x.prom"));
  await expect(writeMetricsFile("soar-wal-archive", join(directory, "x.prom"), "")).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    hint: expect.stringContaining("BACKUP_ARCHIVER_METRICS_FILE") as string,
  });
  expect(readdirSync(directory)).toEqual(["x.prom"]);
});

test("the first file has what is known, a later one keeps it", async () => {
  const file = join(place(), "x.prom");
  await updateMetricsFile("soar-base-backup", file, [sample("backup_base_stored_bytes", 5)]);
  await updateMetricsFile("soar-base-backup", file, [sample("backup_base_last_run_failed", 1)]);
  expect(readFileSync(file, "utf8").match(/^backup.*/gm)).toEqual([
    "backup_base_stored_bytes 5",
    "backup_base_last_run_failed 1",
  ]);
});

test("a file that cannot be read is left as it is", async () => {
  const file = join(place(), "x.prom");
  mkdirSync(file);
  await expect(updateMetricsFile("soar-base-backup", file, [])).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
    message: expect.stringContaining(`unable to read '${file}': a directory has this name`) as string,
  });
});
