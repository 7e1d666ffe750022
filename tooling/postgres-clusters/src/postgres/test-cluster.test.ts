import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { queryOnce } from "./cluster-query.ts";
import { adoptTestCluster, createTestCluster } from "./test-cluster.ts";
import { postgresInstallations, postgresMajors, requireInstallation, TESTED_MAJORS } from "./installations.ts";
import { findPostmaster } from "./postmaster.ts";
import { requires, serverUser } from "@soar-tooling/test-bench";

for (const tested of TESTED_MAJORS)
  test(`PostgreSQL ${tested} is here to be tested`, requires(`major-${tested}`), () => {
    expect(postgresMajors().map(({ major }) => major)).toContain(tested);
  });

test("finds the programs of every installation", () => {
  for (const one of postgresInstallations())
    expect([...one.programs]).toEqual(expect.arrayContaining(["initdb", "postgres"]));
  expect(() => requireInstallation("no-such-program")).toThrow("no-such-program");
});

test.each(postgresMajors())("runs a cluster of major $major as another user than root", async (installation) => {
  await using cluster = await createTestCluster({ installation, databases: ["soar"], settings: { work_mem: "7MB" } });
  const [row] = await cluster.query<{ version: string; setting: string }>(
    "select current_setting('server_version_num') version, current_setting('work_mem') setting",
  );
  expect(Math.floor(Number(row?.version) / 10_000)).toBe(installation.major);
  expect(row?.setting).toBe("7MB");
  expect(await cluster.query("select current_database() as name", [], "soar")).toEqual([{ name: "soar" }]);
  expect(statSync(cluster.dataDir)).toMatchObject({ uid: serverUser().uid });
  expect(statSync(cluster.dataDir).uid).not.toBe(0);
  expect(cluster.socketDir.length).toBeLessThan(100);
});

test.each(postgresInstallations())(
  "clusters of PostgreSQL $version that are made alike are not one",
  async (installation) => {
    const identifiers = new Set<unknown>();
    for (let count = 0; count < 3; count += 1) {
      await using cluster = await createTestCluster({ installation, initdbArgs: ["--wal-segsize=2"] });
      const [row] = await cluster.query<{ id: string }>(
        "SELECT system_identifier::text AS id FROM pg_control_system()",
      );
      identifiers.add(row?.id);
      // Its own WAL is read again, whose identifier it compares with that.
      await cluster.kill();
      await cluster.start();
    }
    expect(identifiers.size).toBe(3);
  },
);

test("leaves no shared memory behind when it is killed", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  const [, , , , , , line = ""] = readFileSync(join(cluster.dataDir, "postmaster.pid"), "utf8").split("\n");
  const segment = line.trim().split(/\s+/)[1] ?? "";
  const isThere = (): boolean =>
    readFileSync("/proc/sysvipc/shm", "utf8")
      .split("\n")
      .some((row) => row.trim().split(/\s+/)[1] === segment);
  expect(isThere()).toBe(true);
  await cluster.kill();
  expect(isThere()).toBe(false);
});

test("keeps what was committed before kill() and starts again on the same port", async () => {
  await using cluster = await createTestCluster({
    installation: requireInstallation(),
    initdbArgs: ["--wal-segsize=1", "--data-checksums"],
  });
  await cluster.query("create table t as select generate_series(1, 1000) n");
  const before = cluster.pid();
  await cluster.kill();
  expect(cluster.pid()).toBeUndefined();
  await cluster.start();
  expect(cluster.pid()).not.toBe(before);
  expect(await cluster.query("select count(*)::int as rows, current_setting('wal_segment_size') size from t")).toEqual([
    { rows: 1000, size: "1MB" },
  ]);
  expect(await cluster.log()).toContain("was not properly shut down");
});

test("asks for the password over TCP only when there is one", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation(), password: "not-a-secret" });
  expect(await cluster.query("select 1 as one")).toEqual([{ one: 1 }]);
  await expect(queryOnce({ ...cluster.connection, password: "wrong" }, "select 1")).rejects.toMatchObject({
    code: "28P01",
  });
  await expect(
    queryOnce({ ...cluster.connection, host: cluster.socketDir, password: "wrong" }, "select 1 as one"),
  ).resolves.toEqual([{ one: 1 }]);
});

test("says why a server did not start", async () => {
  const failure = createTestCluster({ installation: requireInstallation(), settings: { log_archive_command: "on" } });
  await expect(failure).rejects.toThrow('unrecognized configuration parameter "log_archive_command"');
});

test("adopts a data directory, runs it elsewhere and leaves it in place", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await cluster.stop();
  const adopted = await adoptTestCluster({ installation: cluster.installation, dataDir: cluster.dataDir });
  expect(adopted.port).not.toBe(cluster.port);
  expect(await adopted.query("show port")).toEqual([{ port: String(adopted.port) }]);
  await adopted.remove();
  expect(existsSync(cluster.dataDir)).toBe(true);
  expect(cluster.pid()).toBeUndefined();
});

test("a test process that is killed leaves neither server nor directory", async () => {
  const script = fileURLToPath(new URL("./cluster-holder.fixture.ts", import.meta.url));
  const holder = spawn(process.execPath, ["--conditions=soar-source", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: holder.stdout });
  const [dataDir] = await new Promise<string[]>((resolve) =>
    lines.once("line", (line) => resolve(JSON.parse(line) as string[])),
  );
  if (dataDir === undefined) throw new Error("the fixture printed no directory");
  expect(findPostmaster(dataDir)).toBeDefined();
  holder.kill("SIGKILL");
  await expect.poll(() => existsSync(dataDir), { timeout: 20_000 }).toBe(false);
  expect(findPostmaster(dataDir)).toBeUndefined();
});
