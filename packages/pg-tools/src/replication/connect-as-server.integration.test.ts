import { once } from "node:events";
import { appendFileSync, chownSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { requires, runAsServerUser, serverUser } from "@soar-tooling/test-bench";
import { runProgram } from "@soar/programs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findServerUser } from "./connect-as-server.ts";
import { connectReplication } from "./replication-connection.ts";
import { identifySystem } from "./replication-commands.ts";
import { openLibpqEnvironment } from "./libpq-environment.ts";
import { connectSql } from "./sql-connection.ts";

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await createTestCluster({ installation: requireInstallation("pg_ctl"), start: false });
  // As Debian has it: the user of the operating system counts, and root is none that the server knows.
  writeFileSync(
    join(cluster.dataDir, "pg_hba.conf"),
    "local all all peer map=server\nlocal replication all peer map=server\nhost all all 127.0.0.1/32 trust\n",
  );
  appendFileSync(join(cluster.dataDir, "pg_ident.conf"), `server ${serverUser().name} postgres\n`);
  await cluster.start();
}, 60_000);
afterAll(async () => {
  await cluster.remove();
});

const server = () => ({ host: cluster.socketDir, port: cluster.port, user: "postgres", database: "postgres" });

describe("where a server lets in nobody but its own user, root", requires("root"), () => {
  test("connects as that user, for SQL and for replication", async () => {
    const { uid } = serverUser();
    expect(await findServerUser(server())).toMatchObject({ uid });
    await using sql = await connectSql(server());
    const [row] = await sql.query<{ text: string }>("SELECT repeat('x', 1000000) AS text");
    expect(row?.text.length).toBe(1_000_000);
    await using replication = await connectReplication(server());
    expect(await identifySystem(replication)).toMatchObject({ timeline: 1 });
  });

  test("runs the programs of PostgreSQL as that user, too", async () => {
    await using environment = await openLibpqEnvironment(server());
    const { variables: env, owner } = environment;
    const psql = join(cluster.binDir, "psql");
    expect(await runProgram(psql, ["-Atc", "SELECT 1"], { env })).toMatchObject({ status: 2 });
    expect(await runProgram(psql, ["-Atc", "SELECT 1"], { env, owner })).toMatchObject({ status: 0, stdout: "1\n" });
  });

  test("hears why the server says no, or that nobody is there", async () => {
    await expect(connectSql({ ...server(), user: "nobody" })).rejects.toMatchObject({
      code: "SERVER_DENIED",
      message: expect.stringContaining("nobody") as string,
    });
    await expect(connectSql({ ...server(), port: 1 })).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
    await expect(connectSql(server(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    // While the connection is being made for us, which takes a program.
    const stop = new AbortController();
    const connecting = connectSql(server(), { signal: stop.signal });
    await nextTurn();
    stop.abort();
    await expect(connecting).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("hears that nobody listens behind a socket that a server left", async () => {
    const [path, left] = [join(cluster.socketDir, "listening"), join(cluster.socketDir, ".s.PGSQL.2")];
    const listener = createServer().listen(path);
    await once(listener, "listening");
    renameSync(path, left);
    chownSync(left, serverUser().uid, serverUser().gid);
    await new Promise((resolve) => listener.close(resolve));
    await expect(connectSql({ ...server(), port: 2 })).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
    rmSync(left);
  });
});

test("over TCP, and for anybody but root, nothing is different", async () => {
  expect(await findServerUser(cluster.connection)).toBeUndefined();
  const script = `import { findServerUser } from ${JSON.stringify(new URL("connect-as-server.ts", import.meta.url).href)};
    console.log(await findServerUser(${JSON.stringify(server())}));`;
  const { stdout } = await runAsServerUser(process.execPath, [
    "--conditions=soar-source",
    "--input-type=module",
    "-e",
    script,
  ]);
  expect(stdout).toBe("undefined\n");
  expect(readFileSync(join(cluster.dataDir, "pg_hba.conf"), "utf8")).toContain("peer");
});
