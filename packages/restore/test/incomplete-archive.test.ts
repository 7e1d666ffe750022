import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCodecPool, type CodecPool } from "@soar/seekable-tar";
import type { BackupRecord } from "@soar/repository";
import { createMemoryStore } from "@soar/storage";
import { putSampleBackup, SAMPLE_LABEL, SAMPLE_TABLESPACE, type SampleBackup } from "@soar-tooling/sample-repository";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { fetchBackup, readBackupTable } from "../src/fetch/fetch-backup.ts";
import { fetchScope } from "../src/rescue/fetch-scope.ts";

let pool: CodecPool;
let directory: string;
beforeAll(() => {
  pool = createCodecPool({ workers: 1 });
});
afterAll(() => pool.close());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-incomplete-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const WITH_TABLESPACE = (record: BackupRecord): BackupRecord => ({
  ...record,
  tablespaces: [{ oid: SAMPLE_TABLESPACE, location: "/mnt/fast" }],
});

/** As a restore of the cluster and as a rescue fetch it. */
async function fetchBoth(sample: Partial<SampleBackup>): Promise<unknown[]> {
  const store = createMemoryStore({ name: "incomplete" });
  const backup = await putSampleBackup(store, { label: SAMPLE_LABEL, first: 3, ...sample });
  const common = { backup, dataDir: directory, pool, jobs: 1, owner: undefined };
  const whole = fetchBackup(store, { ...common, tablespaces: new Map([[SAMPLE_TABLESPACE, join(directory, "fast")]]) });
  const outcome = await whole.then(
    () => "fetched",
    (error: unknown) => error,
  );
  const part = fetchScope(store, {
    ...common,
    table: await readBackupTable(store, backup),
    choice: { kind: "cluster" },
    onChosen: () => Promise.resolve(),
    tablespaceDir: join(directory, "tablespaces"),
  });
  return [
    outcome,
    await part.then(
      () => "fetched",
      (error: unknown) => error,
    ),
  ];
}

test.each<[string, Partial<SampleBackup>]>([
  ["global/pg_control", { without: ["global/pg_control"] }],
  ["backup_label", { without: ["backup_label"] }],
  ["tablespace_map", { change: WITH_TABLESPACE }],
])(
  "an archive of the data directory without %s is damaged, which is told before anything is fetched",
  async (path, sample) => {
    const damaged = expect.objectContaining({
      code: "REPOSITORY_DAMAGED",
      message: `backup '${SAMPLE_LABEL}' is not whole: its archive of the data directory has no '${path}'`,
      hint: expect.stringContaining("--base-backup") as string,
    }) as unknown;
    expect(await fetchBoth(sample)).toEqual([damaged, damaged]);
    expect(readdirSync(directory)).toEqual([]);
  },
);

test("one that names no directory, so that nothing else makes the place of pg_control, is restored", async () => {
  const store = createMemoryStore({ name: "whole" });
  const backup = await putSampleBackup(store, { label: SAMPLE_LABEL, first: 3 });
  await fetchBackup(store, { backup, dataDir: directory, tablespaces: new Map(), pool, jobs: 1 });
  expect(statSync(join(directory, "global")).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(directory, "global"))).toEqual(["pg_control"]);
});
