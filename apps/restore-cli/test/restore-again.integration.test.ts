import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

// A restore is given again where an earlier one ended as it was asked to, and somebody has damaged what it left.

/** 257 pages, of which `zeroBlocks` takes 200. */
const ROWS = 30_000;
let world: RestoreWorld;
/** The file of the table, below a data directory. */
let table: string;
/** That of a table with as many pages of other rows. */
let otherTable: string;
beforeAll(async () => {
  world = await createRestoreWorld({ initdbArgs: ["--wal-segsize=1", "--data-checksums"] });
  await world.cluster.query(
    `CREATE TABLE rows AS SELECT n, md5(n::text) AS text FROM generate_series(1, ${ROWS}) AS n`,
  );
  await world.cluster.query("CREATE TABLE others AS SELECT n, md5((-n)::text) AS text FROM rows");
  const [row] = await world.cluster.query<{ rows: string; others: string }>(
    "SELECT pg_relation_filepath('rows') AS rows, pg_relation_filepath('others') AS others",
  );
  [table, otherTable] = [row?.rows ?? "", row?.others ?? ""];
  await succeed(world, "soar-base-backup");
});
afterAll(() => world[Symbol.asyncDispose]());

/** So that no server can listen there. */
async function occupyPort(port: number): Promise<AsyncDisposable> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return { [Symbol.asyncDispose]: promisify(server.close.bind(server)) };
}

interface Copy {
  readonly dataDir: string;
  readonly port: number;
  run(...args: readonly string[]): Promise<Record<string, unknown>>;
  text(...args: readonly string[]): Promise<string>;
  status(): Promise<unknown>;
}

async function copy(name: string): Promise<Copy> {
  const [dataDir, port] = [join(world.directory, name), await freePort()];
  const args = ["--immediate", "--data-dir", dataDir, "--port", String(port), "--yes"];
  const text = async (...more: readonly string[]): Promise<string> =>
    (await succeed(world, "soar-restore", ...args, ...more)).stdout;
  return {
    dataDir,
    port,
    text,
    run: async (...more) => JSON.parse(await text("--json", ...more)) as Record<string, unknown>,
    status: async () =>
      JSON.parse((await succeed(world, "soar-restore", "status", "--data-dir", dataDir, "--json")).stdout) as unknown,
  };
}

/** As a disk does that loses what it was given. */
function zeroBlocks(dataDir: string, blocks = 200): void {
  const file = openSync(join(dataDir, table), "r+");
  writeSync(file, Buffer.alloc(blocks * 8192), 0, blocks * 8192, 8192);
  closeSync(file);
}

async function expectEveryRow({ dataDir, port }: Copy): Promise<void> {
  {
    await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
    expect(await sql.query("SELECT count(*)::int AS rows, pg_is_in_recovery() AS recovering FROM public.rows")).toEqual(
      [{ rows: ROWS, recovering: false }],
    );
  }
  await using cluster = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await cluster.stop();
}

describe("where a restore has shut its server down at the target and blocks of a table were zeroed since", () => {
  test.each(["--delta", "--discard-old-data"])(
    "%s compares everything, fetches what differs, and says how much that was",
    { timeout: 120_000 },
    async (flag) => {
      const again = await copy(`down${flag}`);
      const first = await again.run("--target-action", "shutdown");
      expect(first).toMatchObject({ outcome: "shut-down", fetched: { keptBytes: 0 } });
      expect(first).not.toHaveProperty("privateDir");
      expect(readdirSync(join(again.dataDir, "soar-restore"))).not.toContain("socket");
      expect(await again.status()).toMatchObject({ phase: "at-target", running: false, server: "shut-down" });
      zeroBlocks(again.dataDir);
      const report = await again.run(flag, "--target-action", "promote");
      expect(report).toMatchObject({ outcome: "promoted" });
      const { receivedBytes, writtenBytes, keptBytes } = report["fetched"] as Record<string, number>;
      const { receivedBytes: all } = first["fetched"] as Record<string, number>;
      expect(receivedBytes).toBeGreaterThan(0);
      expect(receivedBytes).toBeLessThan(all ?? 0);
      expect(keptBytes).toBeGreaterThan(1024 * 1024);
      expect(writtenBytes).toBeGreaterThanOrEqual(200 * 8192);
      await expectEveryRow(again);
    },
  );

  test("the same command notices it without being told to look", { timeout: 120_000 }, async () => {
    const again = await copy("noticed");
    await again.run("--target-action", "shutdown");
    zeroBlocks(again.dataDir);
    expect(await again.text("--dry-run")).toMatch(
      new RegExp(`what is there: .*its files were changed since: .*/${table}: everything is compared`),
    );
    expect(await again.text()).toMatch(/^fetched: .* written, .* were right already and stayed$/m);
    await expectEveryRow(again);
  });

  test(
    "nothing is fetched again where nothing was changed, and nothing is said to have been",
    { timeout: 120_000 },
    async () => {
      const again = await copy("unchanged");
      const words = await again.text("--target-action", "shutdown");
      expect(words).toMatch(
        /^reached: +the target, by the server's own word, 'recovery stopping after .*planned was /m,
      );
      expect(words).toMatch(/^last commit: +not told by a server that is still in recovery$/m);
      const plan = await again.text("--dry-run");
      expect(plan).toMatch(/^to download: +nothing of the backup, which is there, and at most .* of WAL$/m);
      expect(plan).toMatch(/^what is there: +an earlier restore of this plan, which ended at the target/m);
      expect(await again.text()).toMatch(/^fetched: +nothing: an earlier run had fetched the backup$/m);
      await expectEveryRow(again);
    },
  );
});

test(
  "where a restore pauses at its target, --delta stops its server and compares everything",
  { timeout: 120_000 },
  async () => {
    const again = await copy("paused");
    await again.run("--target-action", "pause");
    expect(await again.status()).toMatchObject({ phase: "at-target", server: "paused", targetAction: "pause" });
    zeroBlocks(again.dataDir);
    expect(await again.run("--delta")).toMatchObject({
      outcome: "promoted",
      fetched: { keptBytes: expect.any(Number) },
    });
    await expectEveryRow(again);
  },
);

async function resume(server: { readonly host: string; readonly port: number }): Promise<void> {
  const where = { ...server, user: "postgres", database: "postgres" };
  {
    await using sql = await connectSql(where);
    await sql.query("SELECT pg_wal_replay_resume()");
  }
  await expect
    .poll(
      async () => {
        await using sql = await connectSql(where);
        return await sql.query("SELECT pg_is_in_recovery() AS recovering");
      },
      { timeout: 30_000 },
    )
    .toEqual([{ recovering: false }]);
}

function flipByte(dataDir: string): void {
  const file = openSync(join(dataDir, table), "r+");
  writeSync(file, Buffer.from([0x5a]), 0, 1, 3 * 8192 + 5000);
  closeSync(file);
}

describe("where a restore pauses at its target, the same command looks at what is there", () => {
  const refused = (fact: string) => ({
    status: 94,
    stderr: expect.stringMatching(
      new RegExp(`unable to go on with the restore in .*: its files were damaged since: ${fact}.*\nhint: .*--delta`),
    ) as string,
  });
  /** Gives the command as it was given. */
  const again = ({ dataDir, port }: Copy, ...args: readonly string[]) => {
    const common = ["--immediate", "--data-dir", dataDir, "--port", String(port), "--yes"];
    return world.run("soar-restore", ...common, "--target-action", "pause", ...args);
  };

  test.each<[string, string, (dataDir: string) => void]>([
    ["blocks that were zeroed", "block 1 of TABLE: it holds nothing but zeros", (dataDir) => zeroBlocks(dataDir)],
    ["a byte that was flipped", "block 3 of TABLE: its checksum is wrong", flipByte],
    [
      "a file that was cut off",
      "TABLE is gone or shorter than it was at the target",
      (dataDir) => truncateSync(join(dataDir, table), 8192),
    ],
    ["a file that is gone", "TABLE is gone or shorter", (dataDir) => rmSync(join(dataDir, table))],
    [
      "a file that is no pages",
      "base/1/PG_VERSION: it is not that of PostgreSQL 15",
      (dataDir) => writeFileSync(join(dataDir, "base/1/PG_VERSION"), "99\n"),
    ],
  ])(
    "%s: it goes on with nothing while the server pauses, and --delta mends it",
    { timeout: 120_000 },
    async (name, fact, damage) => {
      const paused = await copy(`pausing-${name.replaceAll(" ", "-")}`);
      await paused.run("--target-action", "pause");
      damage(paused.dataDir);
      expect(await again(paused)).toMatchObject(refused(fact.replace("TABLE", table)));
      expect(await paused.run("--delta")).toMatchObject({ outcome: "promoted" });
      await expectEveryRow(paused);
    },
  );

  test.each<[string, string, (dataDir: string) => void]>([
    ["blocks that were zeroed", "block 1 of TABLE: it holds nothing but zeros", (dataDir) => zeroBlocks(dataDir)],
    [
      "the file of another table",
      "block 0 of TABLE: no WAL has changed it since the backup, and it is not the backup's",
      (dataDir) => writeFileSync(join(dataDir, table), readFileSync(join(dataDir, otherTable))),
    ],
    [
      "a file that was cut off",
      "TABLE is gone or shorter than it was at the target, and no WAL since has removed it",
      (dataDir) => truncateSync(join(dataDir, table), 8192),
    ],
    [
      "a file that is gone",
      "TABLE is gone or shorter than it was at the target",
      (dataDir) => rmSync(join(dataDir, table)),
    ],
  ])("%s, before it was told to go on", { timeout: 120_000 }, async (name, damaged, damage) => {
    const paused = await copy(`resumed-${name.replaceAll(" ", "-")}`);
    await paused.run("--target-action", "pause");
    damage(paused.dataDir);
    const fact = damaged.replace("TABLE", table);
    await resume({ host: "127.0.0.1", port: paused.port });
    expect(await again(paused)).toMatchObject(refused(fact));
    // And it is no other the next time, with the server down.
    expect(await again(paused)).toMatchObject(refused(fact));
  });

  test.each<[string, string, (dataDir: string) => void]>([
    ["blocks that were zeroed", "block 1 of TABLE: it holds nothing but zeros", (dataDir) => zeroBlocks(dataDir)],
    [
      "transactions that have all been rolled back",
      "block 0 of pg_xact/0000: a transaction that had ended has ended in another way",
      // What a server that runs has of it in memory, it may write over this.
      (dataDir) => writeFileSync(join(dataDir, "pg_xact/0000"), Buffer.alloc(8192, 0xaa)),
    ],
  ])("%s, while it was down, and somebody started it", { timeout: 120_000 }, async (name, fact, damage) => {
    const paused = await copy(`restarted-${name.replaceAll(" ", "-")}`);
    await paused.run("--target-action", "pause");
    const { installation } = world.cluster;
    await using cluster = await adoptTestCluster({ installation, dataDir: paused.dataDir, start: false });
    await cluster.stop();
    damage(paused.dataDir);
    await cluster.start();
    expect(await again(paused)).toMatchObject(refused(fact.replace("TABLE", table)));
  });

  test("nothing was changed: it says what it has seen, and finishes", { timeout: 120_000 }, async () => {
    const paused = await copy("sound");
    await paused.run("--target-action", "pause");
    const still = await again(paused);
    expect(still.stdout).toMatch(
      /^found there: +\d{3,} files are untouched since the target(?:, and no other is there|; \d+ changed ones were read.*)$/m,
    );
    await resume({ host: "127.0.0.1", port: paused.port });
    const done = await again(paused, "--json");
    expect(JSON.parse(done.stdout)).toMatchObject({
      outcome: "promoted",
      foundThere: { kind: "looked-at", since: "at-target", checksums: true, lessThere: [], doubts: [] },
    });
    await expectEveryRow(paused);
  });
});

test(
  "where a restored server could not be started, and its files were damaged since, it is not simply started",
  { timeout: 120_000 },
  async () => {
    const again = await copy("unstarted");
    const args = ["--immediate", "--data-dir", again.dataDir, "--port", String(again.port), "--yes"];
    {
      await using _taken = await occupyPort(again.port);
      expect(await world.run("soar-restore", ...args)).toMatchObject({
        status: expect.any(Number) as number,
        stderr: expect.stringMatching(
          /give the same command again|address already in use|could not create any TCP\/IP sockets/i,
        ) as string,
      });
    }
    expect(await again.status()).toMatchObject({ phase: "finish", running: false });
    zeroBlocks(again.dataDir);
    const refused = await world.run("soar-restore", ...args);
    expect(refused).toMatchObject({
      status: 94,
      stderr: expect.stringMatching(
        new RegExp(`its files were changed since it was left: .*/${table}\nhint: .*--delta`),
      ) as string,
    });
    expect(await again.run("--delta")).toMatchObject({ outcome: "promoted" });
    await expectEveryRow(again);
  },
);

describe("in place", () => {
  test.each([
    ["shutdown", "--discard-old-data"],
    ["pause", "--delta"],
  ])(
    "after %s, %s compares everything too, and the old data stays kept once",
    { timeout: 120_000 },
    async (action, flag) => {
      const { cluster } = world;
      const restore = async (...args: readonly string[]): Promise<Record<string, unknown>> =>
        JSON.parse((await succeed(world, "soar-restore", "--immediate", "--yes", "--json", ...args)).stdout) as Record<
          string,
          unknown
        >;
      const first = await restore("--target-action", action);
      expect(first).toMatchObject({ inPlace: true, keptAs: expect.stringContaining(".before-restore-") as string });
      const shown = await succeed(world, "soar-restore", "status", "--data-dir", cluster.dataDir, "--json");
      expect(JSON.parse(shown.stdout)).toMatchObject({ phase: "at-target", targetAction: action });
      // With the data directory it goes, whoever removes that.
      const socket = action === "pause" ? join(cluster.dataDir, "soar-restore", "socket") : undefined;
      expect(first["privateDir"]).toBe(socket);
      zeroBlocks(cluster.dataDir);
      expect(await restore(flag)).toMatchObject({ outcome: "promoted", keptAs: first["keptAs"] });
      expect(await cluster.query("SELECT count(*)::int AS rows FROM rows")).toEqual([{ rows: ROWS }]);
      expect(readdirSync(cluster.dataDir)).not.toContain("soar-restore");
    },
  );
});

test("a timeline that was left where it began is no damage of the history behind it", { timeout: 60_000 }, async () => {
  const history = [...world.s3.objects().values()].find(({ key }) => key.endsWith("/wal/00000003.history"));
  const switches: readonly string[] = (await history?.read())?.toString("utf8").match(/^\d+\t\S+/gm) ?? [];
  // Both restores in place ended at the same position, the second along the timeline that the first had begun.
  expect(switches.map((line) => line.split("\t")[0])).toEqual(["1", "2"]);
  expect(new Set(switches.map((line) => line.split("\t")[1])).size).toBe(1);
  expect((await succeed(world, "soar-restore", "plan", "--latest")).stdout).toMatch(/^timeline: +3$/m);
});

test("the plan says what the server does afterwards, and not that it takes writes", { timeout: 60_000 }, async () => {
  const fresh = await copy("planned");
  const afterwards = async (action: string): Promise<string> =>
    /^afterwards: +(.*)$/m.exec(await fresh.text("--dry-run", "--target-action", action))?.[1] ?? "";
  expect(await afterwards("promote")).toMatch(/^the server takes writes; as a copy/);
  expect(await afterwards("pause")).toMatch(/^the server pauses at the target.*takes no writes/);
  expect(await afterwards("shutdown")).toMatch(/^the server is shut down at the target.*takes no writes/);
});

test(
  "in place, a server that pauses is told with what it said itself, since when everything stands still, and how it goes on",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    const args = ["--immediate", "--target-action", "pause", "--yes", "--stop-services", "soar-test-none.service"];
    const { stdout } = await succeed(world, "soar-restore", ...args);
    const [, since] =
      /^paused: +since (\S+): it takes no writes, and every application stands still, .*; seen: pg_is_in_recovery\(\) = true, pg_get_wal_replay_pause_state\(\) = 'paused'$/m.exec(
        stdout,
      ) ?? [];
    expect(since, stdout).toMatch(/^\d{4}-/);
    expect(stdout).toMatch(/^applications: +not started before the restore is finished: soar-test-none\.service$/m);
    const [, command = ""] =
      /^next: +when it is what you want: (psql .* -c 'SELECT pg_wal_replay_resume\(\)'), then give/m.exec(stdout) ?? [];
    const status = await succeed(world, "soar-restore", "status", "--data-dir", cluster.dataDir);
    expect(status.stdout).toMatch(new RegExp(`^paused: +since ${since}: `, "m"));
    execFileSync("sh", ["-c", `PATH='${cluster.binDir}':$PATH ${command}`]);
    const done = await succeed(world, "soar-restore", ...args, "--json");
    expect(JSON.parse(done.stdout)).toMatchObject({ outcome: "promoted" });
    expect(JSON.parse(done.stdout)).not.toHaveProperty("paused");
  },
);

test(
  "in place, a table whose file is lost while it pauses is named once it has gone on, and nobody is let in",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    const args = ["--immediate", "--yes", "--json"];
    const first = await succeed(world, "soar-restore", ...args, "--target-action", "pause");
    const { privateDir } = JSON.parse(first.stdout) as { privateDir: string };
    rmSync(join(cluster.dataDir, table));
    await resume({ host: privateDir, port: cluster.port });
    expect(await world.run("soar-restore", ...args, "--target-action", "pause")).toMatchObject({
      status: 94,
      stderr: expect.stringMatching(
        new RegExp(
          `damaged since: ${table} is gone or shorter than it was at the target, and no WAL since has removed it`,
        ),
      ) as string,
    });
    const mended = await succeed(world, "soar-restore", ...args, "--delta", "--target-action", "promote");
    expect(JSON.parse(mended.stdout)).toMatchObject({ outcome: "promoted", checks: { findings: [] } });
  },
);

test(
  "in place, a restore that keeps nothing tells of nothing that an earlier one has kept",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    const kept = (): string[] => readdirSync(cluster.socketDir).filter((name) => name.includes(".before-restore-"));
    const before = kept();
    const restore = async (...args: readonly string[]): Promise<string> =>
      (await succeed(world, "soar-restore", "--latest", "--yes", ...args)).stdout;
    const expectNothingKept = (text: string): void => {
      expect(text).toMatch(/^lost: +only what was committed after that and never reached the repository$/m);
      expect(text).not.toMatch(/^old data:|discard-old/m);
      expect(kept()).toEqual(before);
    };
    expect(before).not.toEqual([]);
    expectNothingKept(await restore("--delta"));
    await cluster.stop();
    rmSync(cluster.dataDir, { recursive: true });
    expectNothingKept(await restore());
    // One that was kept weeks ago by a restore that never was finished is told as that.
    const path = join(cluster.socketDir, before.toSorted().at(-1) ?? "", "soar-kept.json");
    const record = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    writeFileSync(
      path,
      JSON.stringify({ ...record, restoredAt: undefined, keptAt: "2026-01-10T14:30:00.000Z", target: "a transaction" }),
    );
    await cluster.stop();
    rmSync(cluster.dataDir, { recursive: true });
    const text = await restore();
    expect(text).toMatch(
      /^old data: +kept as \S+ at 2026-01-10T14:30:00.000Z, by an earlier run that was asked for a transaction$/m,
    );
    expect(text).toMatch(/^lost: +only .* reached neither the repository nor the old data$/m);
    expect(kept()).toEqual(before);
  },
);

test("a table that was backed up without its file is named", { timeout: 120_000 }, async () => {
  const { cluster } = world;
  await cluster.query("CREATE TABLE lost AS SELECT 1 AS n");
  const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('lost') AS path");
  await cluster.query("CHECKPOINT");
  rmSync(join(cluster.dataDir, row?.path ?? ""));
  await succeed(world, "soar-base-backup");
  const restored = await copy("without");
  expect(await restored.run()).toMatchObject({
    checks: { findings: ["database 'postgres' lacks the files of 1 relations: public.lost"] },
  });
});
