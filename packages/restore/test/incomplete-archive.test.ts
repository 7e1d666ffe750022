import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCodecPool, type CodecPool } from "@soar/seekable-tar";
import { readBackupTable, tableOf, type BackupRecord } from "@soar/repository";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import {
  keysOf,
  putSampleBackup,
  replaceObject,
  SAMPLE_LABEL,
  SAMPLE_TABLESPACE,
  type SampleBackup,
} from "@soar-tooling/sample-repository";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { fetchBackup } from "../src/fetch/fetch-backup.ts";
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
async function fetchBoth(
  sample: Partial<SampleBackup>,
  change: (store: ObjectStore) => Promise<void> = () => Promise.resolve(),
): Promise<unknown[]> {
  const store = createMemoryStore({ name: "incomplete" });
  const backup = await putSampleBackup(store, { label: SAMPLE_LABEL, first: 3, ...sample });
  await change(store);
  const common = { backup, dataDir: directory, pool, jobs: 1, owner: undefined };
  const whole = fetchBackup(store, { ...common, tablespaces: new Map([[SAMPLE_TABLESPACE, join(directory, "fast")]]) });
  const outcome = await whole.then(
    () => "fetched",
    (error: unknown) => error,
  );
  const part = fetchScope(store, {
    ...common,
    dataDir: join(directory, "part"),
    table: await readBackupTable(store, tableOf(backup)),
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

test("an archive in which a byte has changed is damage of the repository, as which a restore ends", async () => {
  const damaged = expect.objectContaining({
    code: "REPOSITORY_DAMAGED",
    message: expect.stringContaining(`unable to read 'base/${SAMPLE_LABEL}/backup.tar`) as string,
    hint: expect.stringContaining("Run a verification of the repository") as string,
  }) as unknown;
  const flip = async (store: ObjectStore): Promise<void> => {
    const key = (await keysOf(store)).find((one) => /\/backup\.tar/.test(one)) ?? "";
    await replaceObject(store, key, (bytes) => {
      const changed = Buffer.from(bytes);
      changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
      return changed;
    });
  };
  expect(await fetchBoth({}, flip)).toEqual([damaged, damaged]);
});

test("one that names no directory, so that nothing else makes the place of pg_control, is restored", async () => {
  const store = createMemoryStore({ name: "whole" });
  const backup = await putSampleBackup(store, { label: SAMPLE_LABEL, first: 3 });
  await fetchBackup(store, { backup, dataDir: directory, tablespaces: new Map(), pool, jobs: 1 });
  expect(statSync(join(directory, "global")).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(directory, "global"))).toEqual(["pg_control"]);
});
