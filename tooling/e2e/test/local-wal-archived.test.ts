import { execFile } from "node:child_process";
import { readdirSync, renameSync, rmSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { openStore } from "@soar/storage";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { commitUnarchived, takeArchivedBackup, UNARCHIVED_ROWS } from "../src/commit-unarchived.ts";
import { createSoarWorld, ROOT, type SoarWorld } from "../src/soar-world.ts";

/** One server that is lost again and again, each time with WAL on its disk that was never archived. */
let world: SoarWorld;
/** Rows that were committed so far. */
let rows = 0;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  await world.cluster.query("CREATE TABLE t (a int)");
  await takeBackup();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.s3.clearFaults());

interface Report {
  readonly localWal?: {
    readonly archived: readonly string[];
    readonly present: readonly string[];
    readonly left: readonly { readonly name: string; readonly file: string }[];
    readonly reason?: string;
  };
  readonly keptAs?: string;
  readonly savedWal?: string;
}

const takeBackup = (): Promise<void> => takeArchivedBackup(world);

const walKey = (name: string): string => `cluster1/wal/${name}${name.endsWith(".history") ? "" : ".zst"}`;
const isStored = (name: string): boolean => world.s3.objects().has(walKey(name));
const missing = (names: readonly string[]): string[] => names.filter((name) => !isStored(name));
const bin = (): string => join(ROOT, "node_modules", ".bin");

async function insert(count: number): Promise<void> {
  await world.cluster.query("INSERT INTO t SELECT generate_series(1, $1)", [count]);
  rows += count;
}

async function loseCommits(): Promise<{ readonly instant: string; readonly before: number }> {
  const instant = await commitUnarchived(world, insert);
  return { instant, before: rows - UNARCHIVED_ROWS };
}

const restore = (...args: readonly string[]): Promise<ProgramResult> =>
  world.run("soar-restore", ["--latest", "--yes", ...args]);

function reportOf(result: ProgramResult): Report {
  expect(result, result.stderr).toMatchObject({ status: 0 });
  return JSON.parse(result.stdout) as Report;
}

const rowsOf = (cluster: Pick<SoarWorld["cluster"], "query">): Promise<unknown> =>
  cluster.query("SELECT count(*)::int AS rows FROM t");

/** What the repository has by itself: a copy elsewhere, with what restores have kept out of the way. */
async function rowsFromRepositoryAlone(args: readonly string[]): Promise<unknown> {
  const { cluster, directory } = world;
  const hidden = join(directory, "hidden");
  const place = dirname(cluster.dataDir);
  const kept = readdirSync(place).filter((name) => /before-restore-/.test(name));
  for (const name of kept) renameSync(join(place, name), `${hidden}-${name}`);
  const dataDir = join(directory, "copy");
  const port = await freePort();
  const copied = await world.run("soar-restore", [...args, "--data-dir", dataDir, "--port", `${port}`, "--yes"]);
  expect(copied, copied.stderr).toMatchObject({ status: 0 });
  await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
  // On a port of its own.
  await copy.stop();
  await copy.start();
  const found = await rowsOf(copy);
  await copy.stop();
  rmSync(dataDir, { recursive: true });
  for (const name of kept) renameSync(`${hidden}-${name}`, join(place, name));
  return found;
}

async function expectGreen(): Promise<void> {
  const verified = await world.run("soar-backup-verify", ["--level", "full", "--json"]);
  expect(verified, verified.stdout + verified.stderr).toMatchObject({ status: 0 });
}

test(
  "what recovery took from the old disk is in the repository: an instant within it comes back from there alone",
  { timeout: 180_000 },
  async () => {
    const { cluster } = world;
    const { instant, before } = await loseCommits();
    await cluster.kill();
    rmSync(join(cluster.dataDir, "base"), { recursive: true });
    rmSync(join(cluster.dataDir, "global"), { recursive: true });
    const last = readdirSync(join(cluster.dataDir, "pg_wal"))
      .filter((name) => /^00000001[0-9A-F]{16}$/.test(name))
      .sort();

    const planned = await world.run("soar-restore", ["plan", "--latest", "--json"]);
    const { stores = [] } = JSON.parse(planned.stdout) as { stores?: string[] };
    expect(stores.length).toBeGreaterThan(3);
    const shown = await world.run("soar-restore", ["plan", "--latest"]);
    expect(shown.stdout).toMatch(
      new RegExp(`stores: +${stores.length} WAL files, ${stores[0]} to ${stores.at(-1)}, in the repository`),
    );
    expect(missing(stores)).toEqual(stores);
    const report = reportOf(await restore("--json"));
    expect(report.localWal).toEqual({ archived: stores, present: [], left: [] });
    expect(await rowsOf(cluster)).toEqual([{ rows }]);
    // Not the segment in which the new timeline begins, and nothing behind it.
    const stored = [...world.s3.objects().keys()].filter((key) => /wal\/00000001[0-9A-F]{16}\./.test(key)).sort();
    expect(stored.at(-1)).toBe(walKey(stores.at(-1) ?? ""));
    expect(last.some((name) => name > (stores.at(-1) ?? ""))).toBe(true);

    await archiveAll(cluster);
    expect(await rowsFromRepositoryAlone(["--target-time", instant])).toEqual([{ rows: before }]);
    await expectGreen();
  },
);

test(
  "a restore that is killed between promotion and the last segment goes on with the same command",
  { timeout: 180_000 },
  async () => {
    const { cluster, s3 } = world;
    const timeline = basename((await newestSegment()) ?? "").slice(0, 8);
    const { instant, before } = await loseCommits();
    await cluster.kill();
    for (const skip of [0, 1]) {
      const stall = s3.inject({
        operation: "PutObject",
        key: new RegExp(`/wal/${timeline}[0-9A-F]{16}\\.zst`),
        skip,
        fault: { type: "stall" },
      });
      const program = world.start("soar-restore", ["--latest", "--yes"]);
      const ended = await Promise.race([stall.firstHit, program.result]);
      expect(ended, ended?.stderr).toBeUndefined();
      program.kill("SIGKILL");
      await program.result;
      s3.clearFaults();
      // Clients have been served since before it began to store.
      expect(await rowsOf(cluster)).toEqual([{ rows }]);
      const refused = await world.run("soar-restore", ["discard-old", "--data-dir", cluster.dataDir, "--yes"]);
      expect(refused).toMatchObject({ status: 82, stderr: expect.stringContaining("a restore is not finished there") });
    }
    const planned = await world.run("soar-restore", ["plan", "--latest", "--json"]);
    const { stores = [] } = JSON.parse(planned.stdout) as { stores?: string[] };
    expect(stores.length).toBeGreaterThan(2);
    const processId = cluster.pid();
    const report = reportOf(await restore("--json"));
    expect(report.localWal?.left).toEqual([]);
    expect([...(report.localWal?.archived ?? []), ...(report.localWal?.present ?? [])].sort()).toEqual(stores);
    expect(cluster.pid()).toBe(processId);
    await archiveAll(cluster);
    expect(await rowsFromRepositoryAlone(["--target-time", instant])).toEqual([{ rows: before }]);
    await expectGreen();
    await takeBackup();
  },
);

async function newestSegment(): Promise<string | undefined> {
  const [row] = await world.cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_current_wal_lsn()) AS name");
  return row?.name;
}

test(
  "the same segment that is there meanwhile is right, other bytes under a name are told and stay, and nothing is stored behind them",
  { timeout: 180_000 },
  async () => {
    const { cluster, s3, settings } = world;
    await loseCommits();
    await cluster.kill();
    const planned = await world.run("soar-restore", ["plan", "--latest", "--json"]);
    const { stores = [] } = JSON.parse(planned.stdout) as { stores?: string[] };
    const [first = "", second = "", third = "", ...others] = stores;
    expect(others.length).toBeGreaterThan(0);
    const stall = s3.inject({ operation: "PutObject", key: new RegExp(`/${first}\\.zst`), fault: { type: "stall" } });
    const program = world.start("soar-restore", ["--latest", "--yes", "--json"]);
    const ended = await Promise.race([stall.firstHit, program.result]);
    expect(ended, ended?.stderr).toBeUndefined();
    const kept = keptNow();
    const pushed = await world.run("soar-wal-archive", [join(kept, "pg_wal", second), second]);
    expect(pushed, pushed.stderr).toMatchObject({ status: 0 });
    const store = openStore({ url: `s3://${s3.bucket}`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
    const foreign = await s3.objects().get(walKey(second))?.read();
    await store.put(walKey(third), foreign ?? Buffer.alloc(0));
    stall.release();
    const result = await program.result;
    expect(reportOf(result).localWal).toMatchObject({
      archived: [first],
      present: [second],
      left: [third, ...others].map((name) => ({ name })),
      reason: expect.stringMatching(new RegExp(`unable to archive '${third}': .* holds other bytes`)) as string,
    });
    expect(await s3.objects().get(walKey(third))?.read()).toEqual(foreign);
    expect(missing(others)).toEqual(others);
    expect(result.stderr).toMatch(/restore completed: .*; \d+ WAL files, .*, could not be stored in the repository: /);
    expect(await rowsOf(cluster)).toEqual([{ rows }]);
    // Taken away again, what was told to be left is stored by hand.
    await store.remove([walKey(third)]);
    await store.close();
    for (const name of [third, ...others]) {
      const again = await world.run("soar-wal-archive", [join(kept, "pg_wal", name), name], { settings });
      expect(again, again.stderr).toMatchObject({ status: 0 });
    }
    expect(reportOf(await restore("--json")).localWal).toMatchObject({ archived: [], left: [] });
    await takeBackup();
    await expectGreen();
  },
);

function keptNow(): string {
  const { dataDir } = world.cluster;
  const newest = readdirSync(dirname(dataDir))
    .filter((name) => name.startsWith(`${basename(dataDir)}.before-restore-`))
    .sort()
    .at(-1);
  return join(dirname(dataDir), newest ?? "");
}

test.each([
  ["that is kept", []],
  ["that is overwritten", ["--delta"]],
])(
  "keys that may not write fail no restore over a directory %s: what is in no repository is told and not discarded, and the command that stores it works",
  { timeout: 180_000 },
  async (_, args) => {
    const { cluster, s3, settings } = world;
    const { instant, before } = await loseCommits();
    await cluster.kill();
    const planned = await world.run("soar-restore", ["plan", "--latest", ...args, "--json"]);
    const { stores = [] } = JSON.parse(planned.stdout) as { stores?: string[] };
    expect(stores.length).toBeGreaterThan(3);
    s3.inject({
      operation: "PutObject",
      key: new RegExp(`/(?:${stores.join("|")})\\.zst|/leases/`),
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied" },
    });
    const result = await restore(...args);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    expect(result.stdout).toMatch(
      new RegExp(
        `not stored: +${stores.length} WAL files, ${stores[0]} to ${stores.at(-1)}: .*The repository has a hole`,
      ),
    );
    expect(result.stdout).toMatch(/next: +take a base backup now/);
    expect(await rowsOf(cluster)).toEqual([{ rows }]);
    expect(missing(stores)).toEqual(stores);
    expect(result.stdout).not.toContain("discard-old --data-dir");
    // The only copy.
    const left = /a restore is not finished there: up to \d+ WAL files, from \S+ on, may be in no repository yet/;
    const listed = await world.run("soar-restore", ["discard-old", "--data-dir", cluster.dataDir, "--dry-run"]);
    expect(listed).toMatchObject({ status: 0, stdout: expect.stringMatching(left) as string });
    expect(await world.run("soar-restore", ["discard-old", "--data-dir", cluster.dataDir, "--yes"])).toMatchObject({
      status: 82,
      stderr: expect.stringMatching(left) as string,
    });
    const unstored = await restore(...args);
    expect(unstored).toMatchObject({ status: 53, stderr: expect.stringContaining(stores[0] ?? "") as string });
    s3.clearFaults();
    await archiveAll(cluster);
    const verified = await world.run("soar-backup-verify", ["--level", "quick"]);
    expect(verified).toMatchObject({ status: 5, stdout: expect.stringContaining(stores[0] ?? "") as string });
    const [, command = ""] = /to close the hole .*?: (for wal in .*)/.exec(result.stdout) ?? [];
    expect(command, result.stdout).not.toBe("");
    const env = { ...settings, PATH: [bin(), dirname(process.execPath), process.env["PATH"]].join(delimiter) };
    // Not synchronously: the bucket is served by this process.
    expect(await promisify(execFile)("sh", ["-c", command], { env, cwd: "/" })).toMatchObject({ stderr: "" });
    expect(missing(stores)).toEqual([]);
    expect(reportOf(await restore(...args, "--json")).localWal).toMatchObject({
      archived: [],
      present: stores,
      left: [],
    });
    const free = await world.run("soar-restore", ["discard-old", "--data-dir", cluster.dataDir, "--dry-run", "--json"]);
    expect(JSON.parse(free.stdout)).not.toHaveProperty("obstacle");
    expect(await rowsFromRepositoryAlone(["--target-time", instant])).toEqual([{ rows: before }]);
    await expectGreen();
  },
);

test(
  "a restore to an instant within the WAL of the old disk stores that up to there once it is promoted, and says where the rest is",
  { timeout: 180_000 },
  async () => {
    const { cluster } = world;
    const { instant, before } = await loseCommits();
    const timeline = ((await newestSegment()) ?? "").slice(0, 8);
    await cluster.kill();
    const stored = (): string[] =>
      [...world.s3.objects().keys()]
        .map((key) => new RegExp(`/wal/(${timeline}[0-9A-F]{16})\\.`).exec(key)?.[1] ?? "")
        .sort();
    const earlier = stored();
    const command = ["--target-time", instant, "--yes"];
    const paused = await world.run("soar-restore", [...command, "--target-action", "shutdown", "--json"]);
    expect(reportOf(paused).localWal).toBeUndefined();
    expect(stored()).toEqual(earlier);
    const result = await world.run("soar-restore", command);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    rows = before;
    expect(await rowsOf(cluster)).toEqual([{ rows }]);
    const [, reached = ""] = /reached: +([0-9A-F/]+), as planned/.exec(result.stdout) ?? [];
    const [branch] = await cluster.query<{ name: string }>("SELECT pg_walfile_name($1::pg_lsn) AS name", [reached]);
    // Its own segment of that number begins with the same bytes.
    const number = Number.parseInt(branch?.name.slice(-8) ?? "", 16);
    expect(Number.parseInt(stored().at(-1)?.slice(-8) ?? "", 16)).toBe(number - 1);
    expect(result.stdout).toMatch(/stored: +\d+ WAL files, .* which only this machine had/);
    expect(result.stdout).toMatch(
      /lost: .* as asked; its WAL is not all in the repository: some is only in what was kept/,
    );
    await archiveAll(cluster);
    expect(await rowsFromRepositoryAlone(["--latest"])).toEqual([{ rows }]);
    await expectGreen();
  },
);

test(
  "WAL of a timeline that the repository has never heard of is stored with its history before it",
  { timeout: 240_000 },
  async () => {
    const { cluster, s3 } = world;
    await cluster.kill();
    // Nothing of the next timeline gets through.
    s3.inject({
      operation: "PutObject",
      key: /\/wal\//,
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied" },
    });
    reportOf(await restore("--json"));
    const { instant, before } = await loseCommits();
    const timeline = ((await newestSegment()) ?? "").slice(0, 8);
    await cluster.kill();
    s3.clearFaults();
    expect(isStored(`${timeline}.history`)).toBe(false);
    const report = reportOf(await restore("--json"));
    const { archived = [], left } = report.localWal ?? {};
    expect(left).toEqual([]);
    const at = archived.indexOf(`${timeline}.history`);
    expect(at).toBeGreaterThanOrEqual(0);
    expect(archived.slice(at + 1).length).toBeGreaterThan(2);
    for (const name of archived.slice(at + 1)) expect(name.slice(0, 8)).toBe(timeline);
    await archiveAll(cluster);
    expect(await rowsFromRepositoryAlone(["--target-time", instant])).toEqual([{ rows: before }]);
    await expectGreen();
  },
);
