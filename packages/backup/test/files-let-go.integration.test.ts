import { existsSync, readdirSync, readlinkSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { connectSql, readServerFacts } from "@soar/pg-tools/replication";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BackupRequest, filesSource, type RunningBackup } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";

let world: BackupWorld;
beforeEach(async () => {
  world = await createBackupWorld({ installation: requireInstallation() });
  await world.cluster.query(`create tablespace extra location '${world.cluster.tablespaceDir("extra")}'`);
}, 60_000);
afterEach(() => world[Symbol.asyncDispose]());

async function begin(request: Partial<BackupRequest> = {}): Promise<RunningBackup> {
  const source = filesSource(world.cluster.connection);
  await using sql = await connectSql(world.cluster.connection);
  await source.check(await readServerFacts(sql));
  const defaults = { label: "x", checkpoint: "fast", rateLimitBytes: undefined, signal: undefined } as const;
  return await source.begin(Object.defineProperties({ ...defaults, onProgress() {} }, descriptorsOf(request)));
}

const descriptorsOf = (request: Partial<BackupRequest>): PropertyDescriptorMap =>
  Object.getOwnPropertyDescriptors(request);

/** What of the cluster this process has open; its tablespaces lie beside its data directory. */
function heldOfCluster(): string[] {
  const base = dirname(world.cluster.dataDir);
  return readdirSync("/proc/self/fd")
    .map((descriptor) => `/proc/self/fd/${descriptor}`)
    .flatMap((path) => (existsSync(path) && readlinkSync(path).startsWith(base) ? [readlinkSync(path)] : []));
}

test("a backup that ends lets go of the server's directories", async () => {
  const running = await begin();
  expect(heldOfCluster()).toHaveLength(2);
  await running[Symbol.asyncDispose]();
  expect(heldOfCluster()).toEqual([]);
});

test("so does one that does not begin because a later tablespace cannot be read", async () => {
  symlinkSync(Buffer.from([0x2f, 0xe9]), join(world.cluster.dataDir, "pg_tblspc", "99999"));
  await expect(begin()).rejects.toMatchObject({ code: "SERVER_UNSUITABLE" });
  expect(heldOfCluster()).toEqual([]);
});

test("so does one that is stopped while the files are counted, and the server is in no backup then", async () => {
  const stop = new AbortController();
  const request = {
    signal: stop.signal,
    // Asked for when the directories are held and nothing is counted yet.
    get rateLimitBytes() {
      stop.abort();
      return undefined;
    },
  };
  await expect(begin(request)).rejects.toMatchObject({ code: "ABORTED" });
  expect(heldOfCluster()).toEqual([]);
  const sessions = "select 1 from pg_stat_activity where query like '%pg_backup_start%' and pid <> pg_backend_pid()";
  await expect.poll(() => world.cluster.query(sessions)).toEqual([]);
});
