import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult, serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRestoreWorld, ownedDirectory, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

// Somebody, or a file system that lost its directories, has put something of another kind in the place of what belongs there.

const ROWS = 10_000;
let world: RestoreWorld;
let space: string;
let oid: string;
/** Data directories, with their tablespace beside them, of which each test damages a copy. */
const template = (phase: string): string => join(world.directory, phase);

async function argsFor(dataDir: string): Promise<string[]> {
  const place = ["--data-dir", dataDir, "--tablespace-map", `${space}=${dataDir}-space`];
  return ["--immediate", "--yes", "--port", String(await freePort()), ...place];
}

beforeAll(async () => {
  world = await createRestoreWorld();
  const { cluster } = world;
  space = ownedDirectory(world, "space");
  await cluster.query(`CREATE TABLESPACE space LOCATION '${space}'`);
  await cluster.query(`CREATE TABLE far TABLESPACE space AS SELECT generate_series(1, ${ROWS}) AS n`);
  const [row] = await cluster.query<{ oid: string }>("SELECT oid::text FROM pg_tablespace WHERE spcname = 'space'");
  oid = row?.oid ?? "";
  await succeed(world, "soar-base-backup");
  for (const [phase, action] of [
    ["promoted", "promote"],
    ["at-target", "shutdown"],
  ] as const) {
    const dataDir = template(phase);
    await succeed(world, "soar-restore", ...(await argsFor(dataDir)), "--target-action", action);
    await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
    await copy.stop();
  }
});
afterAll(() => world[Symbol.asyncDispose]());

type Exchange = (path: string) => void;
const remove = (path: string): void => rmSync(path, { recursive: true, force: true });
const EXCHANGES = {
  "a file": (path) => (remove(path), writeFileSync(path, "a file")),
  "a directory": (path) => (remove(path), mkdirSync(join(path, "below"), { recursive: true })),
  "a link to nothing": (path) => (remove(path), symlinkSync("/nonexistent/place", path)),
  "a link to itself": (path) => (remove(path), symlinkSync(path, path)),
  "a pipe": (path) => (remove(path), void execFileSync("mkfifo", [path])),
  "a link to what was there": (path) => (renameSync(path, `${path}.away`), symlinkSync(`${path}.away`, path)),
} as const satisfies Record<string, Exchange>;

let copies = 0;

interface Exchanged {
  readonly dataDir: string;
  readonly result: ProgramResult;
}

type Exchanges = readonly (readonly [name: string, kind: keyof typeof EXCHANGES])[];

/** Gives the command with --delta for a copy in which something was exchanged. */
async function refill(phase: string, exchanges: Exchanges): Promise<Exchanged> {
  const dataDir = join(world.directory, `exchanged-${++copies}`);
  for (const suffix of ["", "-space"]) execFileSync("cp", ["-a", `${template(phase)}${suffix}`, `${dataDir}${suffix}`]);
  rmSync(join(dataDir, "pg_tblspc", oid));
  symlinkSync(`${dataDir}-space`, join(dataDir, "pg_tblspc", oid));
  const record = join(dataDir, "soar-restore", "restore.json");
  if (phase === "at-target")
    writeFileSync(record, readFileSync(record, "utf8").replaceAll(template(phase), dataDir), { mode: 0o600 });
  for (const [name, kind] of exchanges) {
    const path = name.startsWith("TABLESPACE") ? name.replace("TABLESPACE", `${dataDir}-space`) : join(dataDir, name);
    mkdirSync(dirname(path), { recursive: true });
    EXCHANGES[kind](path);
  }
  const { uid, gid } = serverUser();
  execFileSync("chown", ["-hR", `${uid}:${gid}`, dataDir, `${dataDir}-space`]);
  return { dataDir, result: await world.run("soar-restore", ...(await argsFor(dataDir)), "--delta") };
}

async function expectWhole({ dataDir, result }: Exchanged): Promise<void> {
  expect(result, result.stderr).toMatchObject({ status: 0 });
  await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  const port = Number(readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n")[3]);
  await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  expect(await sql.query("SELECT count(*)::int AS rows FROM public.far")).toEqual([{ rows: ROWS }]);
  await sql[Symbol.asyncDispose]();
  await copy.stop();
}

describe.each(["promoted", "at-target"])("--delta where a restore has ended %s brings everything back", (phase) => {
  test.each<[string, Exchanges]>([
    [
      "directories in the place of files",
      [
        ["base/1/1259", "a directory"],
        ["PG_VERSION", "a directory"],
        ["postgresql.auto.conf", "a directory"],
        ["recovery.signal", "a directory"],
        ["TABLESPACE/PG_15_202209061", "a link to what was there"],
        ["pg_wal", "a pipe"],
        ["soar-restore/server.log", "a directory"],
        ["soar-restore/lineage.json", "a directory"],
        ["soar-restore/files", "a directory"],
        ["soar-restore/pg_control.dropped", "a directory"],
        ["soar-restore/pg_control.before", "a directory"],
        ["soar-restore/pg_control.new", "a directory"],
      ],
    ],
    [
      "files and links in the place of directories",
      [
        ["base", "a file"],
        ["pg_wal/archive_status", "a file"],
        ["pg_xact", "a link to nothing"],
        ["pg_logical", "a link to what was there"],
        ["pg_multixact", "a link to itself"],
        ["TABLESPACE/PG_15_202209061", "a file"],
        ["soar-restore/socket", "a file"],
      ],
    ],
    ["a file in the place of WAL", [["pg_wal", "a file"]]],
  ])("%s", { timeout: 60_000 }, async (_, exchanges) => {
    await expectWhole(await refill(phase, exchanges));
  });
});

describe.each(["promoted", "at-target"])(
  "--delta where a restore has ended %s changes nothing and tells of",
  (phase) => {
    test.each<[string, keyof typeof EXCHANGES, number, RegExp]>([
      ["global", "a link to itself", 20, /hint: Something else has the place/],
      ["global/pg_control", "a directory", 20, /hint: Something else has the place/],
      [
        "pg_wal",
        "a link to nothing",
        20,
        /its pg_wal is a link to '\/nonexistent\/place', where there is nothing\nhint: Mount/,
      ],
      ["pg_wal", "a link to itself", 20, /hint: Something else has the place/],
      [
        "pg_wal",
        "a link to what was there",
        20,
        /in the data directory itself.*\nhint: Put the directory in the place/,
      ],
      ["soar-restore", "a file", 20, /soar-restore' is no directory\nhint: .*move it away/],
      ["soar-restore", "a pipe", 20, /soar-restore' is no directory\nhint: .*move it away/],
      ["soar-restore", "a link to nothing", 20, /soar-restore' is a symbolic link\nhint: .*remove it/],
      ["postmaster.pid", "a directory", 20, /postmaster.pid': a directory has this name.*\nhint: /],
    ])("%s, in whose place is %s", async (name, kind, status, words) => {
      const { result } = await refill(phase, [[name, kind]]);
      expect(result).toMatchObject({ status, stderr: expect.stringMatching(words) as string });
    });
  },
);

test.each(["a file", "a pipe", "a directory"] as const)(
  "--delta tells which tablespace it cannot take for its own where pg_tblspc is %s",
  async (kind) => {
    const { result, dataDir } = await refill("promoted", [["pg_tblspc", kind]]);
    const fact = `unable to restore tablespace ${oid} to '${dataDir}-space': the directory is in use`;
    expect(result).toMatchObject({ status: 94, stderr: expect.stringContaining(fact) as string });
  },
);

test("--delta keeps what is left of a cluster that lost its identity", async () => {
  const { result } = await refill("promoted", [["global", "a file"]]);
  expect(result).toMatchObject({ status: 94, stderr: expect.stringMatching(/hint: Keep it: mv/) as string });
});

test("--delta needs no identity where a restore has ended at its target", { timeout: 60_000 }, async () => {
  await expectWhole(await refill("at-target", [["global", "a file"]]));
});
