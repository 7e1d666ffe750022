// @module-tag needs-postgres-clients
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "@soar/storage";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { createSoarWorld, ROOT, runProgram, type SoarWorld } from "../src/soar-world.ts";
import { KEYS, startOnTerminal, type TerminalSession } from "../src/terminal-session.ts";

let world: SoarWorld;
let env: Readonly<Record<string, string>>;
let instant: string;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_dump", "pg_restore"),
    initdbArgs: ["--wal-segsize=1"],
    databases: ["soar", "staging"],
  });
  const { cluster, directory } = world;
  env = {
    PATH: `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    HOME: directory,
    BACKUP_ENV_FILE: world.envFile,
    BACKUP_TEMP_DIR: join(directory, "temp"),
    SOAR_REQUIRE_ENDPOINT: "1",
    TZ: "Europe/Berlin",
  };
  await cluster.query("CREATE TABLE devices AS SELECT generate_series(1, 100) AS n", [], "soar");
  await world.run("soar-base-backup", []);
  await cluster.query("INSERT INTO devices SELECT generate_series(101, 150)", [], "soar");
  await archiveAll(cluster);
  await cluster.query("INSERT INTO devices SELECT generate_series(151, 200)", [], "soar");
  const lost = await segmentOf();
  await archiveAll(cluster);
  await cluster.query("INSERT INTO devices SELECT generate_series(201, 300)", [], "soar");
  await archiveAll(cluster);
  await world.run("soar-base-backup", ["--no-expire"]);
  await passCheckpoint(cluster);
  await cluster.query("INSERT INTO devices SELECT generate_series(301, 400)", [], "soar");
  // A whole second, as keys move by seconds.
  await cluster.query("SELECT pg_sleep(2)");
  instant = await databaseTime(cluster);
  await cluster.query("DELETE FROM devices", [], "soar");
  await archiveAll(cluster);
  const store = openStore({
    url: world.settings["BACKUP_BUCKET"] ?? "",
    endpoint: world.s3.endpoint,
    region: world.s3.region,
    credentials: world.s3,
  });
  await store.remove([`wal/${lost}.zst`]);
  await store.close();
});
afterAll(() => world[Symbol.asyncDispose]());

async function segmentOf(): Promise<string> {
  const [row] = await world.cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_current_wal_lsn()) AS name");
  return row?.name ?? "";
}

const start = (line = "soar-restore"): TerminalSession => startOnTerminal(line, { env, cwd: world.directory });

/** Everything fits, and the terminal is as it was. */
async function expectEnd(session: TerminalSession, status: number): Promise<string> {
  const { status: found, written } = await session.ended;
  expect(found, written).toBe(status);
  expect(written.lastIndexOf("\u001B[?1049l")).toBeGreaterThan(written.lastIndexOf("\u001B[?1049h"));
  expect(written).toMatch(/ icanon[^]* echo /);
  return written;
}

test("one database at an instant: chosen from a list that shows the hole, moved to by keys, and done by the command that is printed", async () => {
  const session = start();
  expect((await session.shows("What is to be restored")).join("\n")).toContain("> the whole cluster");
  session.type(KEYS.down + KEYS.enter);
  const list = await session.shows("Restore to which time?");
  for (const line of list) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(list.join("\n")).toMatch(
    /Europe\/Berlin[^]*> latest[^]*backup 20\S+T\S+Z\n[^]*-- hole: 0{7}1\S+ is missing\n[^]*backup 20\d\d-\d\d-\d\d\n/,
  );
  session.type(KEYS.down + KEYS.enter);
  await session.shows("Restore to which instant?");
  session.type(`${KEYS.down}${KEYS.left}`);
  const moved = await session.shows("one second");
  session.type(instant.replace(/\.\d+/, "") + KEYS.enter);
  const typed = await session.shows(`in UTC: ${instant.slice(0, 19).replace(" ", "T")}Z`);
  for (const line of [...moved, ...typed]) expect(line.length, line).toBeLessThanOrEqual(80);
  session.type(KEYS.enter);
  await session.shows("From which database?");
  session.type(KEYS.enter);
  await session.shows("database: soar_restored_");
  session.type(KEYS.enter);
  await session.shows("This is the command:");
  session.type(KEYS.enter);
  await session.shows("Do this? Type yes to go on:");
  session.type("yes\r");
  const written = await expectEnd(session, 0);
  expect(await world.cluster.query("SELECT count(*)::int AS rows FROM devices", [], "soar_restored")).toEqual([
    { rows: 400 },
  ]);
  const [, command = ""] = /this runs: (soar-restore .*?)\r?\n/.exec(written) ?? [];
  expect(command).toBe(
    `soar-restore --database soar --target-database soar_restored --no-destructive --target-time '${instant.slice(0, 19)}+00'`,
  );
  // The line does the same when it is typed: into another database, because this one is not empty any more.
  expect(await runProgram(["sh", "-c", command], { settings: env, directory: world.directory })).toMatchObject({
    status: 98,
    stderr: expect.stringContaining("'soar_restored'"),
  });
  expect(
    await runProgram(["sh", "-c", command.replace("soar_restored", "again")], {
      settings: env,
      directory: world.directory,
    }),
  ).toMatchObject({ status: 0 });
  expect(await world.cluster.query("SELECT count(*)::int AS rows FROM devices", [], "again")).toEqual([{ rows: 400 }]);
});

test("Ctrl-C on a list, in the middle of typing and at the question, and Esc from the first screen, leave everything and the terminal as they were", async () => {
  const before = readdirSync(world.directory);
  const steps: readonly (readonly [string, string])[] = [
    ["What is to be restored", KEYS.enter],
    ["Restore to which time?", KEYS.down + KEYS.enter],
    ["Restore to which instant?", "2025"],
    ["take the time that is typed", KEYS.escape],
    ["in UTC: 20", KEYS.enter],
    ["Into which data directory?", `-copy${KEYS.enter}`],
    ["This is the command:", KEYS.enter],
  ];
  for (const count of [1, 3]) {
    const session = start();
    for (const [text, keys] of steps.slice(0, count)) {
      await session.shows(text);
      session.type(keys);
    }
    await session.shows(steps[count]?.[0] ?? "");
    session.type(KEYS.ctrlC);
    await expectEnd(session, 4);
  }
  const asked = start();
  for (const [text, keys] of steps) {
    await asked.shows(text);
    asked.type(keys);
  }
  const question = await asked.shows("Type yes to go on:");
  expect(question.join("\n")).toMatch(/data directory: +\S+-copy /);
  asked.type(KEYS.ctrlC);
  await expectEnd(asked, 4);
  const left = start();
  await left.shows("What is to be restored");
  left.type(KEYS.enter);
  await left.shows("Restore to which time?");
  left.type(KEYS.escape);
  await left.shows("What is to be restored");
  left.type(KEYS.escape);
  expect(await expectEnd(left, 2)).toContain("nothing was chosen to be restored");
  expect(readdirSync(world.directory)).toEqual(before);
  expect(existsSync(`${world.cluster.dataDir}-copy`)).toBe(false);
});

test("without a terminal, or with anything said, nobody is asked", async () => {
  const bare = await world.run("soar-restore", []);
  expect(bare).toMatchObject({
    status: 64,
    stderr: expect.stringContaining("On a terminal, soar-restore with nothing said lets you choose."),
  });
  const session = start("soar-restore --data-dir /nowhere");
  expect((await session.ended).written).toContain("no target is named");
});
