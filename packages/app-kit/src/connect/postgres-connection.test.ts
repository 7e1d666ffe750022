import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { requires } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findSocketDirectory, postgresConnection } from "./postgres-connection.ts";
import { serverConnection } from "./server-connection.ts";
import { postgresOptions } from "../options/postgres-options.ts";
import type { Config } from "../options/option-table.ts";
import { resolveConfig } from "../options/resolve-config.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-pg-connection-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function config(environment: Record<string, string>): Config<typeof postgresOptions> {
  return resolveConfig(postgresOptions, {
    flags: {},
    environment: { PGPASSFILE: path.join(directory, "none"), ...environment },
  }).values as unknown as Config<typeof postgresOptions>;
}

test("defaults: the user and database postgres, port 5432", () => {
  expect(postgresConnection(config({ PGHOST: "db1" }))).toEqual({
    host: "db1",
    port: 5432,
    user: "postgres",
    database: "postgres",
    password: undefined,
    sslMode: "prefer",
    sslCaPem: undefined,
  });
});

test("without a host the socket, or localhost where there is none", () => {
  expect(postgresConnection(config({ PGPORT: "1" })).host).toBe("localhost");
});

describe("a server is found by its socket", () => {
  const port = 54_321;
  /** As a server of this user that listens in a directory of this mode. */
  async function listen(name: string, mode: number, uid?: number): Promise<string> {
    const place = path.join(directory, name);
    mkdirSync(place);
    chmodSync(place, mode);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path.join(place, `.s.PGSQL.${port}`), resolve));
    onTestFinished(() => void server.close());
    if (uid !== undefined) chownSync(path.join(place, `.s.PGSQL.${port}`), uid, uid);
    return place;
  }

  test("in the first directory that has one", async () => {
    const [first, second] = [await listen("first", 0o755), await listen("second", 0o1777)];
    expect(findSocketDirectory(port, { directories: [first, second] })).toBe(first);
    expect(findSocketDirectory(port, { directories: ["/nonexistent", second] })).toBe(second);
    expect(findSocketDirectory(port + 1, { directories: [first, second] })).toBeUndefined();
  });

  test("but not of anybody where everybody may make names, and that is told", requires("root"), async () => {
    const [shared, theirs] = [await listen("shared", 0o1777, 12_345), await listen("theirs", 0o755, 12_345)];
    const warnings: string[] = [];
    const log = { warn: (text: string) => void warnings.push(text) };
    expect(findSocketDirectory(port, { log, directories: [shared, theirs] })).toBe(theirs);
    expect(warnings).toEqual([
      expect.stringMatching(/shared\/\.s\.PGSQL\.54321' is not used: it belongs to user 12345/),
    ]);
  });
});

test("PGPASSWORD before the password file; replication has an entry of its own", () => {
  const passfile = path.join(directory, "pgpass");
  writeFileSync(passfile, "db1:5432:replication:postgres:streams\ndb1:5432:*:postgres:queries\n", { mode: 0o600 });
  const environment = { PGHOST: "db1", PGPASSFILE: passfile };
  expect(postgresConnection(config(environment), { database: "soar" })).toMatchObject({
    database: "soar",
    password: "queries",
  });
  expect(postgresConnection(config(environment), { replication: true }).password).toBe("streams");
  expect(postgresConnection(config({ ...environment, PGPASSWORD: "given" })).password).toBe("given");
});

test("a password file that others may read is warned of and left alone", () => {
  const passfile = path.join(directory, "open");
  writeFileSync(passfile, "*:*:*:*:x\n", { mode: 0o644 });
  const warnings: string[] = [];
  const { password } = postgresConnection(config({ PGHOST: "db1", PGPASSFILE: passfile }), {
    log: { warn: (message) => warnings.push(message) },
  });
  expect(password).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining("group or others have access to it")]);
});

test("a server for SQL and for replication: one password for both, no TLS over a socket", () => {
  const passfile = path.join(directory, "replication-only");
  writeFileSync(passfile, "*:5432:replication:postgres:streams\n", { mode: 0o600 });
  expect(
    serverConnection(config({ PGHOST: "db1", PGPASSFILE: passfile, PGSSLMODE: "allow" }), {
      applicationName: "soar",
      database: "soar",
    }),
  ).toEqual({
    host: "db1",
    port: 5432,
    user: "postgres",
    database: "soar",
    password: "streams",
    applicationName: "soar",
    tls: { mode: "prefer", caPem: undefined },
  });
  expect(serverConnection(config({ PGHOST: "/run" }), { applicationName: "soar" })).not.toHaveProperty("tls");
});
