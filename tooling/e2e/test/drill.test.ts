// @module-tag needs-postgres-clients
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { parseExposition, type ProgramResult, serverUser } from "@soar-tooling/test-bench";
import { openStore, readObject } from "@soar/storage";
import { parseSealedReport, type DrillReport } from "@soar/verify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll, passCheckpoint } from "../src/archiving.ts";
import { listenForNotifications } from "../src/notifications.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

// pg_amcheck and pg_checksums come with the server's packages; those from npm have none.
/** Found when a test asks, because the file is read where its tests are skipped, too. */
const installation = () => requireInstallation("pg_dump", "pg_restore", "psql", "pg_amcheck", "pg_checksums");

let world: SoarWorld;
let tempDir: string;
let stateDir: string;
let metricsFile: string;
let tablespace: string;

const settings = (): Record<string, string> => ({
  BACKUP_TEMP_DIR: tempDir,
  BACKUP_DRILL_STATE_DIR: stateDir,
  BACKUP_DRILL_METRICS_FILE: metricsFile,
  PGDATABASE: "soar",
  COLUMNS: "80",
});
const drill = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<ProgramResult> =>
  world.run("soar-backup-verify", ["drill", ...args], { settings: { ...settings(), ...more } });
const file = (name: string, text: string): string => {
  writeFileSync(join(world.directory, name), text);
  return join(world.directory, name);
};
const filesBelow = (directory: string): Set<string> => new Set(readdirSync(directory, { recursive: true }).map(String));
const walKeys = (): string[] =>
  world.s3.requests.filter(({ method, key }) => method === "PUT" && key.includes("/wal/")).map(({ key }) => key);

beforeAll(async () => {
  world = await createSoarWorld({
    installation: installation(),
    initdbArgs: ["--data-checksums"],
    databases: ["soar", "other"],
  });
  const { cluster, directory } = world;
  [tempDir, stateDir, metricsFile] = [join(directory, "temp"), join(directory, "state"), join(directory, "drill.prom")];
  tablespace = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${tablespace}'`);
  await cluster.query(
    "CREATE TABLE devices (id int PRIMARY KEY, name text); INSERT INTO devices SELECT n, 'device ' || n FROM generate_series(1, 100) n",
    [],
    "soar",
  );
  await cluster.query("CREATE TABLE fixes (at timestamptz, n int) TABLESPACE fast", [], "soar");
  await cluster.query("CREATE TABLE t AS SELECT n, repeat('x', 800) FROM generate_series(1, 5000) n", [], "other");
  await world.run("soar-base-backup", []);
  await passCheckpoint(cluster);
  for (let n = 1; n <= 5; n += 1) await cluster.query("INSERT INTO fixes VALUES (clock_timestamp(), $1)", [n], "soar");
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

test("a healthy repository: every check passes, every field is told, nothing is archived and nothing left", async () => {
  const sql = file(
    "good.sql",
    "-- name: devices\n-- expect: 100\nSELECT count(*) FROM devices;\n-- at most 50% less than production\nSELECT count(*) FROM fixes;\n-- at most 1 h older than production\nSELECT max(at) FROM fixes;\n-- same as production\nSELECT name FROM devices ORDER BY id LIMIT 2;\n-- database: other\n-- expect at least 5000\nSELECT count(*) FROM t;\n",
  );
  const before = { keys: walKeys(), tablespace: filesBelow(tablespace) };
  // It may write into the drill, and whatever leads to production is not there.
  const command = `id -u; echo host=$PGHOST url=$DATABASE_URL service=$PGSERVICE; ${installation().binDir}/psql -XAtc 'INSERT INTO fixes VALUES (now(), 99) RETURNING n'`;
  const page = join(world.directory, "report.html");
  const result = await drill(["--sql", sql, "--command", command, "--report", page, "--json"], {
    PGSERVICE: "production",
    DATABASE_URL: "postgresql://production/soar",
  });
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const json = page.replace(".html", ".json");
  const report = parseSealedReport(readFileSync(json, "utf8"), json);
  expect(JSON.parse(result.stdout)).toEqual({ ...report, files: { page, json } });
  expect(report).toMatchObject({
    version: 1,
    outcome: "passed",
    target: { at: "latest" },
    scope: { kind: "cluster" },
    tested: {
      kind: "full",
      label: expect.any(String),
      ageSeconds: expect.any(Number),
      walFirst: expect.stringMatching(/^[0-9A-F]{24}$/),
      walLast: expect.stringMatching(/^[0-9A-F]{24}$/),
      walSegments: expect.any(Number),
    },
    integrity: "pass",
    queries: { passed: 6, failed: 0 },
    issues: [],
    // Whatever was written since the last switch is all that production had more.
    rpo: { seconds: expect.any(Number), basis: expect.any(String) },
    rto: { seconds: expect.any(Number), of: "cluster" },
  });
  expect(report.reached?.lsn).toBe(report.reached?.plannedLsn);
  for (const ms of Object.values(report.timings)) expect(ms).toBeGreaterThanOrEqual(0);
  expect(Object.keys(report.timings).sort()).toEqual([
    "checksMs",
    "downloadMs",
    "extractMs",
    "planMs",
    "replayMs",
    "restoreMs",
    "totalMs",
  ]);
  expect(report.transferred).toMatchObject({ backupBytes: expect.any(Number), walBytes: expect.any(Number) });
  expect(report.checks.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
    "consistent-start passed",
    "fence passed",
    "newest-commit passed",
    "collations passed",
    "schema-dump passed",
    "query passed",
    "query passed",
    "query passed",
    "query passed",
    "query passed",
    "amcheck passed",
    "command passed",
    "page-checksums passed",
  ]);
  const [user, place, written] = (report.checks.find(({ kind }) => kind === "command")?.output ?? "").split("\n");
  expect(user).toBe(String(serverUser().uid));
  expect(place).toMatch(
    new RegExp(`^host=${tempDir}/soar-rescue-\\S+/s url=postgresql://postgres@/soar\\?host=\\S+ service=$`),
  );
  expect(written).toBe("99");
  // Nothing came of it but the report.
  expect(walKeys()).toEqual(before.keys);
  expect(filesBelow(tablespace)).toEqual(before.tablespace);
  expect(await world.cluster.query("SELECT count(*)::int AS n FROM fixes WHERE n = 99", [], "soar")).toEqual([
    { n: 0 },
  ]);
  expect(readdirSync(tempDir)).toEqual([]);
  const metrics = parseExposition(readFileSync(metricsFile, "utf8"));
  expect([...metrics.keys()]).toEqual(
    expect.arrayContaining([
      "backup_drill_rto_seconds",
      "backup_drill_rpo_seconds",
      "backup_drill_last_success_timestamp_seconds",
      "backup_drill_last_run_failed",
    ]),
  );

  const words = readFileSync(page, "utf8");
  for (const field of [
    "Date of test",
    "Backup tested",
    "WAL range tested",
    "Restore duration",
    "Verification queries",
    "Backup age",
    "Data integrity",
    "✓ Pass",
    "Issues encountered",
    "RTO estimate",
    "RPO verified",
    report.digest,
  ])
    expect(words).toContain(field);
  expect(words).not.toMatch(/\b(?:src|href)=|url\(|@import|<script/);
  expect(await drill(["--check", json])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("the page beside it shows the same"),
  });
  writeFileSync(page, words.replace("✓ Pass", "✓ pass"));
  expect(await drill(["--check", json])).toMatchObject({
    status: 5,
    stderr: expect.stringContaining("is not what its report gives"),
  });
  writeFileSync(json, readFileSync(json, "utf8").replace('"failed": 0', '"failed": 1'));
  expect(await drill(["--check", json])).toMatchObject({
    status: 5,
    stderr: expect.stringContaining("was changed after it was written"),
  });
});

test("what fails is told with query, expected and found; the rest is checked all the same; the server is kept on demand", async () => {
  const { cluster } = world;
  await cluster.query("UPDATE pg_database SET datcollversion = '0.1' WHERE datname = 'other'");
  await archiveAll(cluster);
  const sql = file(
    "bad.sql",
    "-- name: number of devices\n-- expect: 42\nSELECT count(*)\nFROM devices;\n-- must run\nSELECT * FROM nothing;\n",
  );
  await using told = await listenForNotifications(world.directory);
  const result = await drill(["--sql", sql, "--command", "echo it broke; exit 3", "--keep"], told.settings);
  expect(result).toMatchObject({
    status: 5,
    stderr: expect.stringContaining("drill failed: number of devices: expected 42, found 100"),
  });
  const lines = result.stdout.split("\n");
  for (const line of lines)
    if (!/^(?:report|kept|remove) /.test(line)) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(result.stdout).toMatch(
    /failed +number of devices: expected 42, found 100\n +query +SELECT count\(\*\) FROM devices;\n +expected +42\n +found +100\n/,
  );
  expect(result.stdout).toMatch(/failed +SELECT \* FROM nothing;: the query failed/);
  expect(result.stdout).toMatch(/failed +own command: 'echo it broke; exit 3' failed: it ended with exit\s+status 3/);
  expect(result.stdout).toMatch(/warning +collation versions: collations have other versions on this host/);
  expect(result.stdout).toMatch(/passed +consistent start, fence, newest commit, dump of definitions,/);
  const [report] = readdirSync(stateDir).filter((name) => name.endsWith(".json"));
  const { digest } = JSON.parse(readFileSync(join(stateDir, report ?? ""), "utf8")) as DrillReport;
  for (const message of [told.mail(), told.posts().join("\n")])
    for (const part of [
      "restore drill failed",
      "drill failed: number of devices: expected 42, found 100",
      "RTO: ",
      digest,
    ])
      expect(message).toContain(part);
  expect(JSON.parse(readFileSync(join(stateDir, report ?? ""), "utf8"))).toMatchObject({
    outcome: "failed",
    integrity: "pass",
    queries: { passed: 0, failed: 3 },
  });
  expect(readFileSync(metricsFile, "utf8")).toMatch(/^backup_drill_last_run_failed 1$/m);
  expect(readFileSync(metricsFile, "utf8")).toMatch(/^backup_drill_last_success_timestamp_seconds \d/m);

  const line = (name: string): string => lines.find((one) => one.startsWith(`${name} `))?.slice(12) ?? "";
  const asServer = (command: string) =>
    spawnSync("sh", ["-c", command], { encoding: "utf8", cwd: "/", ...(process.getuid?.() === 0 ? serverUser() : {}) });
  expect(asServer(line("kept").replace(" -l", " -Atc 'SELECT count(*) FROM devices' soar"))).toMatchObject({
    status: 0,
    stdout: "100\n",
  });
  // Another drill leaves it alone.
  expect(await drill(["--at", "2001-01-01 00:00:00+00"])).toMatchObject({ status: 91 });
  expect(readdirSync(tempDir)).toHaveLength(1);
  const [stop = "", remove = ""] = line("remove").split(" && ");
  expect(asServer(stop)).toMatchObject({ status: 0 });
  // The directory above is that of whoever ran the drill.
  expect(spawnSync("sh", ["-c", remove])).toMatchObject({ status: 0 });
  expect(readdirSync(tempDir)).toEqual([]);
});

test("one database at a random instant of the window: the seed tells it, and the others are not fetched", async () => {
  const since = world.s3.requests.length;
  const result = await drill(["--at", "random", "--seed", "7", "--database", "soar", "--json"]);
  expect(result, result.stderr).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("seed of the random instant: 7"),
  });
  const report = JSON.parse(result.stdout) as DrillReport;
  expect(report).toMatchObject({
    outcome: "passed",
    target: { at: "random", seed: 7, instant: expect.any(String) },
    scope: { kind: "database", database: "soar" },
    rto: { of: "database" },
  });
  const [range] = report.window?.timelines[0]?.ranges ?? [];
  const instant = Date.parse((report.target.instant ?? "").replace(" ", "T").replace("+00", "Z"));
  expect(instant).toBeGreaterThanOrEqual(Date.parse(range?.from ?? ""));
  expect(instant).toBeLessThan(Date.parse(range?.to ?? ""));
  expect(report.checks.find(({ kind }) => kind === "newest-commit")).toMatchObject({
    outcome: "passed",
    detail: expect.stringMatching(/the next one of .*; the target is/),
  });
  const fetched = world.s3.requests
    .slice(since)
    .filter(({ method, key }) => method === "GET" && key.includes("backup.tar"))
    .reduce((sum, { responseBytes }) => sum + responseBytes, 0);
  expect(fetched).toBeGreaterThan(0);
  expect(fetched).toBeLessThan(report.tested?.storedBytes ?? 0);
});

test("a drill that is killed or interrupted leaves nothing for long; one bad segment fails it with the reason", async () => {
  mkdirSync(tempDir, { recursive: true });
  const scratchServer = (): string[] =>
    readdirSync(tempDir).filter((name) => existsSync(join(tempDir, name, "data", "postmaster.pid")));
  const sleeping = { ...settings(), BACKUP_DRILL_COMMAND: "sleep 600" };
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const program = world.start("soar-backup-verify", ["drill"], { settings: sleeping });
    await waitUntil("the scratch server to run", () => Promise.resolve(scratchServer().length === 1));
    program.kill(signal);
    const { status } = await program.result;
    expect(status).toBe(signal === "SIGTERM" ? 4 : null);
    expect(readdirSync(tempDir)).toHaveLength(signal === "SIGTERM" ? 0 : 1);
  }
  const key = await damageSegment();
  const result = await drill(["--json"]);
  expect(result).toMatchObject({
    status: 63,
    stderr: expect.stringMatching(/removed \S+, left by a run that was killed/),
  });
  expect(result.stderr).toContain(key);
  expect(JSON.parse(result.stdout)).toMatchObject({
    outcome: "failed",
    integrity: "fail",
    reason: expect.stringContaining(key) as string,
    checks: [],
    tested: { kind: "full" },
  });
  expect(JSON.parse(result.stdout)).not.toHaveProperty("rto");
  expect(readdirSync(tempDir)).toEqual([]);
});

test("pages that came damaged are found by both readers", async () => {
  const { cluster } = world;
  const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('t') AS path", [], "other");
  const path = join(cluster.dataDir, row?.path ?? "");
  await cluster.query("CHECKPOINT");
  const pages = readFileSync(path);
  pages.writeUInt8(pages.readUInt8(3 * 8192 + 8000) ^ 1, 3 * 8192 + 8000);
  writeFileSync(path, pages);
  expect(await world.run("soar-base-backup", ["--label", "2025-01-05"])).toMatchObject({ status: 68 });
  const result = await drill(["--database", "other", "--json"]);
  expect(result).toMatchObject({ status: 5 });
  const report = JSON.parse(result.stdout) as DrillReport;
  expect(report).toMatchObject({
    outcome: "failed",
    integrity: "fail",
    issues: expect.arrayContaining([expect.stringContaining("damaged pages when this backup was taken")]) as unknown,
  });
  expect(report.checks.filter(({ outcome }) => outcome === "failed").map(({ kind, detail }) => [kind, detail])).toEqual(
    [
      ["amcheck", expect.stringMatching(/^database 'other' is damaged: .*other.*public.*\bt\b/)],
      [
        "page-checksums",
        expect.stringMatching(
          new RegExp(`^1 pages have another checksum than they say, the first: .*"${row?.path}".* block 3`),
        ),
      ],
    ],
  );
});

test("WAL that would write into a live tablespace is refused", async () => {
  const { cluster } = world;
  const place = cluster.tablespaceDir("later");
  await cluster.query(`CREATE TABLESPACE later LOCATION '${place}'`);
  await cluster.query("CREATE TABLE in_later (a int) TABLESPACE later", [], "soar");
  await archiveAll(cluster);
  const before = filesBelow(place);
  const result = await drill([]);
  expect(result).toMatchObject({
    status: 93,
    stderr: expect.stringContaining("a tablespace is created at"),
    stdout: expect.stringContaining("drill failed"),
  });
  expect(filesBelow(place)).toEqual(before);
  const inside = await world.run("soar-backup-verify", ["drill"], {
    settings: { ...settings(), BACKUP_TEMP_DIR: join(cluster.dataDir, "temp") },
  });
  expect(inside).toMatchObject({
    status: 10,
    stderr: expect.stringContaining("which belongs to the cluster that was backed up"),
  });
  expect(existsSync(join(cluster.dataDir, "temp"))).toBe(false);
});

/** Flips a bit of the first segment behind the backup. */
async function damageSegment(): Promise<string> {
  const { s3 } = world;
  const store = openStore({
    url: `s3://${s3.bucket}/cluster1`,
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: s3,
  });
  const keys: string[] = [];
  for await (const { key } of store.list("wal/")) if (/[0-9A-F]{24}\.zst$/.test(key)) keys.push(key);
  const key = keys.at(-2) ?? "";
  const bytes = await readObject(store, key);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  await store.remove([key]);
  await store.put(key, bytes);
  await store.close();
  return key;
}
