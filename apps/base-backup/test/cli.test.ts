import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ObjectStore } from "@soar/storage";
import { expect, onTestFinished, test } from "vitest";
import { createSampleRepository, segment, type SampleOptions } from "./sample-repository.ts";

const BINARY = fileURLToPath(new URL("../bin/soar-base-backup.js", import.meta.url));
const AGES = [60, 50, 36, 29, 22, 15, 8, 1];

interface Sample {
  readonly labels: readonly string[];
  readonly store: ObjectStore;
  readonly run: (...args: string[]) => { status: number | null; stdout: string; stderr: string };
}

async function sample(options: Partial<SampleOptions> = {}): Promise<Sample> {
  const directory = mkdtempSync(join(tmpdir(), "soar-cli-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const repository = await createSampleRepository(directory, { ages: AGES, ...options });
  const run: Sample["run"] = (...args) =>
    spawnSync(process.execPath, ["--", BINARY, ...args], {
      encoding: "utf8",
      env: { BACKUP_BUCKET: `file://${directory}`, HOME: directory, PATH: process.env["PATH"] },
    });
  return { ...repository, run };
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

test("expire --dry-run names exactly the objects that a run then removes", async () => {
  const { run, store, labels } = await sample();
  const before = await keysOf(store);
  const planned = run("expire", "--dry-run", "--json");
  expect(planned).toMatchObject({ status: 0, stderr: "" });
  const plan = JSON.parse(planned.stdout) as {
    keep: { label: string }[];
    removeBackups: { objects: { key: string }[] }[];
    removeWal: { key: string }[];
  };
  expect(plan.keep.map(({ label }) => label)).toEqual(labels.slice(2));
  expect(await keysOf(store)).toEqual(before);

  const done = run("expire", "--yes", "--json");
  expect(done.status).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({
    dryRun: false,
    removed: { backups: [labels[1], labels[0]], wal: 24 },
  });
  const removed = new Set(
    [...plan.removeBackups.flatMap(({ objects }) => objects), ...plan.removeWal].map(({ key }) => key),
  );
  expect(removed.size).toBe(2 * 3 + 24);
  const [record, ...after] = (await keysOf(store)).sort(
    (a, b) => Number(b.startsWith("config/expired/")) - Number(a.startsWith("config/expired/")),
  );
  expect(record).toMatch(/^config\/expired\/.+\.json$/);
  expect(after).toEqual(before.filter((key) => !removed.has(key)));
  expect(run("expire", "--dry-run").stdout).toContain("Nothing is to be removed.");
});

test("expire prints what it would do and refuses without a terminal and without --yes", async () => {
  const { run, store, labels } = await sample();
  const before = await keysOf(store);
  const refused = run("expire");
  expect(refused.status).toBe(3);
  expect(refused.stderr).toMatch(new RegExp(`remove +${labels[0]}.*outside the window`));
  expect(refused.stderr).toContain(`remove 24 WAL files of timeline 1, between ${segment(940)} and ${segment(963)}`);
  expect(await keysOf(store)).toEqual(before);
});

test("keep and unkeep pin a backup for expiry", async () => {
  const { run, labels } = await sample();
  const [oldest = ""] = labels;
  expect(run("keep", oldest, "--reason", "before the migration")).toMatchObject({
    status: 0,
    stdout: `${oldest} is pinned and never expires.\n`,
  });
  expect(run("keep", oldest).stdout).toContain("was pinned already");
  expect(run("expire", "--dry-run").stdout).toMatch(new RegExp(`keep +${oldest} +pinned`));
  expect(run("unkeep", oldest, "--json").stdout).toContain('"changed": true');
  expect(run("expire", "--dry-run").stdout).toMatch(new RegExp(`remove +${oldest}`));
  expect(run("keep", "2001-01-01").status).toBe(65);
  expect(run("keep", "yesterday").status).toBe(64);
});

test("list shows backups, the restorable window with its holes, and a picture", async () => {
  const { run, labels } = await sample({ missing: [40, 39] });
  const listed = run("list");
  expect(listed).toMatchObject({ status: 0, stderr: "" });
  for (const label of labels) expect(listed.stdout).toMatch(new RegExp(`^${label} +full +complete +${label}`, "m"));
  expect(listed.stdout).toContain(`then a hole: 2 segments from ${segment(960)} to ${segment(961)} are missing`);
  expect(listed.stdout).toMatch(/^timeline 1 B#+B#+\.+B(#+B)+#*$/m);
  const { window } = JSON.parse(run("list", "--json").stdout) as { window: { timelines: { ranges: object[] }[] } };
  expect(window.timelines[0]?.ranges).toMatchObject([
    { backups: labels.slice(0, 2), hole: { from: segment(960), to: segment(961), count: 2 } },
    { backups: labels.slice(2) },
  ]);
});

test("list says so when there is no backup or no repository", async () => {
  const { run, store, labels } = await sample({ ages: [3] });
  expect(run("list").stdout).toContain("The window of 30 days is not full yet: it began 3 d 00 h ago.");
  for (const label of labels)
    await store.remove(["backup.json", "started.json", "backup.tar.gz"].map((name) => `base/${label}/${name}`));
  expect(run("list").stdout).toContain("There is no backup in file://");
  await store.remove(["config/backup-config.json"]);
  expect(run("list").status).toBe(60);
});

test("list --cost prints what the bucket costs, with the month of the prices", async () => {
  const { run } = await sample();
  const printed = run("list", "--cost");
  expect(printed).toMatchObject({ status: 0, stderr: "" });
  expect(printed.stdout).toMatch(/^AWS S3 Standard +\$0\.00 .* 20\d\d-\d\d$/m);
  // A terabyte at least, whatever is there.
  expect(printed.stdout).toMatch(/^Wasabi +\$6\.99/m);
  expect(printed.stdout).toContain("zstd instead of gzip, as far as backups of both are here: nothing measured yet");
  expect(JSON.parse(run("list", "--cost", "--json").stdout)).toMatchObject({
    usage: { objects: 24 + 61, retentionDays: 30 },
  });
});
