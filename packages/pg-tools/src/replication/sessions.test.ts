import {
  createTestCluster,
  postgresMajors,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectReplication } from "./replication-connection.ts";
import { readServerFacts } from "./server-facts.ts";
import { connectSql } from "./sql-connection.ts";

/** `café` in LATIN1, which is no UTF-8; as text a byte that is none stands as a lone surrogate. */
const LATIN1_NAME = "caf\udce9";

describe("names that are no UTF-8", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await createTestCluster({
      installation: requireInstallation(),
      initdbArgs: ["--encoding=SQL_ASCII"],
      databases: ["named_below", "other_encoding"],
    });
    await cluster.query(String.raw`UPDATE pg_database SET datname = E'caf\xe9' WHERE datname = 'named_below'`);
    await cluster.query("CREATE ROLE named_below LOGIN");
    await cluster.query(String.raw`UPDATE pg_authid SET rolname = E'r\xf6le' WHERE rolname = 'named_below'`);
    await cluster.query("CREATE DATABASE latin1 ENCODING 'LATIN1' TEMPLATE template0");
    await cluster.query("CREATE DATABASE eucjp ENCODING 'EUC_JP' TEMPLATE template0");
    await cluster.query("CREATE DATABASE utf8 ENCODING 'UTF8' TEMPLATE template0");
  });
  afterAll(() => cluster.remove());

  test.each(["postgres", "latin1", "eucjp", "utf8"])("are told as they are from database %s", async (database) => {
    await cluster.query(`CREATE DATABASE "straße in ${database}"`, [], "postgres");
    await using sql = await connectSql({ ...cluster.connection, database });
    const names = (await readServerFacts(sql)).databases.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([LATIN1_NAME, `straße in ${database}`]));
  });

  test("lead into the database, as the role", async () => {
    await using sql = await connectSql({ ...cluster.connection, database: LATIN1_NAME, user: "r\udcf6le" });
    expect(await sql.query("SELECT current_database() AS database, current_user AS role")).toEqual([
      { database: LATIN1_NAME, role: "r\udcf6le" },
    ]);
    expect(
      await sql.query("SELECT datname AS name FROM pg_database WHERE datname = $1 OR datname = ANY ($2)", [
        LATIN1_NAME,
        [LATIN1_NAME],
      ]),
    ).toEqual([{ name: LATIN1_NAME }]);
  });

  test("stand in errors without being one", async () => {
    await expect(
      connectSql({ ...cluster.connection, database: `${LATIN1_NAME} that is not there` }),
    ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await using sql = await connectSql(cluster.connection);
    await expect(sql.query(`SELECT "${LATIN1_NAME}"`)).rejects.toMatchObject({
      code: "SERVER_FAILED",
      message: expect.stringContaining(LATIN1_NAME) as string,
    });
  });
});

describe("a table's name", () => {
  test.each(["LATIN1", "EUC_JP", "UTF8", "SQL_ASCII"])(
    "in a database in %s is the one that the operator types",
    async (encoding) => {
      await using cluster = await createTestCluster({
        installation: requireInstallation(),
        initdbArgs: [`--encoding=${encoding}`],
      });
      // In a script of that encoding: LATIN1 has ä, EUC_JP has か.
      const name = encoding === "EUC_JP" ? "かな" : "geräte";
      await cluster.query(`CREATE TABLE "${name}" ()`);
      await using sql = await connectSql(cluster.connection, { text: "unicode" });
      expect(await sql.query("SELECT relname AS name FROM pg_class WHERE relname = $1", [name])).toEqual([{ name }]);
    },
  );
});

describe.each(postgresMajors())("on PostgreSQL $version", (installation) => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await createTestCluster({ installation, databases: ["soar"] });
    await cluster.query("CREATE ROLE hostile LOGIN SUPERUSER");
    await cluster.query(
      `CREATE SCHEMA shadow;
       CREATE TABLE shadow.pg_database (oid oid, datname text);
       CREATE FUNCTION shadow.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$`,
      [],
      "soar",
    );
    const settings = {
      statement_timeout: "'1ms'",
      lock_timeout: "'1ms'",
      idle_in_transaction_session_timeout: "'1ms'",
      idle_session_timeout: "'1ms'",
      search_path: "shadow, pg_catalog",
      default_transaction_isolation: "serializable",
      default_transaction_deferrable: "on",
      default_transaction_read_only: "on",
      extra_float_digits: "-15",
      DateStyle: "German",
      IntervalStyle: "sql_standard",
      TimeZone: "'Asia/Tokyo'",
      bytea_output: "escape",
      client_encoding: "'LATIN1'",
      // PostgreSQL 19 has no other strings any more.
      ...(installation.major < 19 ? { standard_conforming_strings: "off" } : {}),
      exit_on_error: "on",
      quote_all_identifiers: "on",
      local_preload_libraries: "'not_there'",
      temp_tablespaces: "'not_there'",
      ...(installation.major < 17 ? {} : { transaction_timeout: "'1ms'" }),
    };
    for (const [name, value] of Object.entries(settings)) {
      for (const whose of ["ROLE hostile", "DATABASE soar", "ROLE hostile IN DATABASE soar"])
        await cluster.query(`ALTER ${whose} SET ${name} = ${value}`);
    }
  });
  afterAll(() => cluster.remove());

  test("what was set for the role and the database changes nothing of what is read", async () => {
    const plain = await connectSql(cluster.connection);
    const expected = await readServerFacts(plain);
    await plain.close();
    await using sql = await connectSql({ ...cluster.connection, user: "hostile", database: "soar" });
    const { databases, ...facts } = await readServerFacts(sql);
    expect({ ...facts, databases: databases.map(({ oid, name }) => ({ oid, name })) }).toEqual({
      ...expected,
      databases: expected.databases.map(({ oid, name }) => ({ oid, name })),
    });
    expect(
      await sql.query(
        String.raw`SELECT '\x00ff'::bytea AS bytes, 123456789.125::float8 AS float, current_user AS role, current_setting('TimeZone') AS zone,
           quote_ident('a') AS quoted, '1 day'::interval::text AS span, to_timestamp(0)::text AS epoch FROM (SELECT pg_sleep(0.05)) slow`,
      ),
    ).toEqual([
      {
        bytes: Buffer.of(0, 255),
        float: 123456789.125,
        role: "hostile",
        zone: "UTC",
        quoted: "a",
        span: "1 day",
        epoch: "1970-01-01 00:00:00+00",
      },
    ]);
    // An error ends a statement and not the session.
    await expect(sql.query("SELECT 1 / 0")).rejects.toMatchObject({ code: "SERVER_FAILED" });
    expect(await sql.query("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("who reads only cannot write, and who is to write can", async () => {
    const server = { ...cluster.connection, user: "hostile", database: "soar" };
    await using reading = await connectSql(server);
    await expect(reading.query("CREATE TABLE public.made ()")).rejects.toMatchObject({
      message: expect.stringContaining("25006") as string,
    });
    await using writing = await connectSql(server, { writes: true });
    await writing.query("CREATE TABLE public.made ()");
  });

  test("a server of our own is entered although the libraries of its sessions are not on this host", async () => {
    const server = { ...cluster.connection, user: "stranger", database: "soar" };
    await cluster.query("CREATE ROLE stranger LOGIN SUPERUSER; CREATE ROLE application");
    await cluster.query("ALTER ROLE stranger SET session_preload_libraries = 'not_there'");
    await cluster.query("ALTER ROLE stranger SET role = 'application'");
    await expect(connectSql(server)).rejects.toMatchObject({ code: "SERVER_FAILED" });
    await using sql = await connectSql({ ...server, isOwnServer: true });
    expect(await sql.query("SELECT current_user AS role")).toEqual([{ role: "stranger" }]);
  });
});

describe.each(postgresMajors().filter(({ major }) => major >= 17))(
  "on PostgreSQL $version, which has a limit for transactions",
  (installation) => {
    test("a transaction that is too long at the login is one of a session without limits", async () => {
      await using cluster = await createTestCluster({ installation, databases: ["soar"] });
      await cluster.query("CREATE ROLE hurried LOGIN REPLICATION; ALTER ROLE hurried SET transaction_timeout = '1ms'");
      // Longer than the limit, in the transaction of the login.
      await cluster.query(
        `CREATE FUNCTION public.dawdle() RETURNS event_trigger LANGUAGE plpgsql AS
         $$ BEGIN IF session_user = 'hurried' THEN PERFORM pg_sleep(0.05); END IF; END $$;
       CREATE EVENT TRIGGER dawdle ON login EXECUTE FUNCTION public.dawdle();
       ALTER EVENT TRIGGER dawdle ENABLE ALWAYS`,
        [],
        "soar",
      );
      const server = { ...cluster.connection, user: "hurried", database: "soar" };
      await using sql = await connectSql(server);
      expect(await sql.query("SELECT current_user AS role, pg_sleep(0.05)::text AS slept")).toEqual([
        { role: "hurried", slept: "" },
      ]);
      await using replication = await connectReplication(server, { mode: "database" });
      expect(await replication.query("SELECT current_user", { action: "ask" })).toMatchObject([
        { rows: [["hurried"]] },
      ]);
    });
  },
);
