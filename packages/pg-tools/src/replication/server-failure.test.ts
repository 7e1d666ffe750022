import { SoarError } from "@soar/errors";
import { describe, expect, test } from "vitest";
import { commandFailure, connectFailure, refusedPart, serverMessageOf } from "./server-failure.ts";
import type { ConnectionConfig } from "./connection-config.ts";

const config: ConnectionConfig = { host: "db1", port: 5432, user: "soar" };
/** As pg throws what the server says. */
const refused = (code: string, more: Readonly<Record<string, unknown>> = {}): Error =>
  Object.assign(new Error("the server's words"), { severity: "FATAL", code, ...more });
const failed = (code: string, message = "the system's words"): Error =>
  Object.assign(new Error(message), { code, errno: -1, syscall: "connect" });
const connect = (error: unknown, { replication = false, host = "db1" } = {}): unknown =>
  connectFailure(error, { ...config, host }, { replication });

describe("what ends an attempt to connect, said by the server", () => {
  const hba = { routine: "ClientAuthentication" };

  test("names the line of pg_hba.conf that is missing", () => {
    expect(connect(refused("28000", hba))).toMatchObject({
      code: "SERVER_DENIED",
      message: "unable to connect to 'soar@db1:5432': the server's words [28000]",
      hint: expect.stringContaining('"host  all  soar  <address of this machine>/32  scram-sha-256"'),
    });
    expect(connect(refused("28000", hba), { replication: true, host: "/run/postgresql" })).toMatchObject({
      hint: expect.stringContaining('"local  replication  soar  scram-sha-256"'),
    });
  });

  test.each([
    ["28000", false, "SERVER_DENIED", "Check that the role exists"],
    ["42501", true, "SERVER_DENIED", 'ALTER ROLE "soar" REPLICATION'],
    ["42501", false, "SERVER_DENIED", "Grant the missing permission"],
    ["42704", false, "SERVER_VERSION", "or newer is needed"],
    ["3D000", false, "CONFIG_INVALID", "Name a database that exists"],
  ] as const)("%s (replication: %s) is %s", (code, replication, expected, hint) => {
    expect(connect(refused(code), { replication })).toMatchObject({
      code: expected,
      hint: expect.stringContaining(hint),
    });
  });

  test("is shown with the server's own hint and detail where nothing better is known", () => {
    expect(connect(refused("XX999", { hint: "Do as the server says.", detail: "in words" }))).toMatchObject({
      code: "SERVER_FAILED",
      message: "unable to connect to 'soar@db1:5432': the server's words (in words) [XX999]",
      hint: "Do as the server says.",
    });
    expect(connect(refused("XX999"))).toMatchObject({ code: "SERVER_FAILED", hint: undefined });
  });
});

describe("what ends an attempt to connect, without a word of the server", () => {
  test.each([
    ["ECONNREFUSED", "SERVER_UNREACHABLE", "listen_addresses"],
    ["ENOENT", "SERVER_UNREACHABLE", "unix socket is in 'db1'"],
    ["CERT_HAS_EXPIRED", "SERVER_DENIED", "TLS mode"],
  ])("%s is %s", (code, expected, hint) => {
    expect(connect(failed(code))).toMatchObject({ code: expected, hint: expect.stringContaining(hint) });
  });

  test.each([
    ["SASL: SCRAM-SERVER-FIRST-MESSAGE: server nonce is too short", "SERVER_DENIED", "method in pg_hba.conf"],
    ["timeout expired", "SERVER_UNREACHABLE", "drops the connection"],
    ["Connection terminated unexpectedly", "SERVER_UNREACHABLE", "drops the connection"],
    ["The server does not support SSL connections", "SERVER_DENIED", "TLS mode"],
  ])("'%s' is %s", (message, expected, hint) => {
    expect(connect(new Error(message))).toMatchObject({ code: expected, hint: expect.stringContaining(hint) });
  });

  test("a host with several addresses fails without a message, so its code stands for it", () => {
    const error = Object.assign(new AggregateError([failed("ECONNREFUSED")]), { code: "ECONNREFUSED" });
    expect(connect(error)).toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: "unable to connect to 'soar@db1:5432': ECONNREFUSED",
    });
  });

  test("is handed on where it is known already, or nobody knows what it is", () => {
    for (const error of [new SoarError("ABORTED", "stopped"), new Error("a bug"), "no error at all"])
      expect(connect(error)).toBe(error);
  });
});

test("a command that failed is told with the server's hint before our own", () => {
  const message = { severity: "ERROR", sqlState: "53100", message: "could not extend file" };
  expect(commandFailure("run SQL on 'x'", message)).toMatchObject({
    code: "DISK_FULL",
    message: "unable to run SQL on 'x': could not extend file [53100]",
    hint: "Free space on the server's disk.",
  });
  expect(commandFailure("run SQL on 'x'", { ...message, hint: "Check free disk space." }).hint).toBe(
    "Check free disk space.",
  );
  expect(commandFailure("x", { ...message, sqlState: "22012" })).toMatchObject({ code: "SERVER_FAILED" });
});

test.each([
  ["28P01", "auth_failed", undefined],
  ["57P03", "", undefined],
  ["53200", "", undefined],
  ["28000", "ClientAuthentication", "database"],
  ["28000", "InitializeSessionUserId", "role"],
  ["53300", "CheckMyDatabase", "database"],
  ["53300", "InitializeSessionUserId", "role"],
  ["53300", "InitProcess", undefined],
  ["3D000", "InitPostgres", "database"],
])("a login that ends with %s in %s was refused to the %s", (code, routine, part) => {
  expect(refusedPart(connect(refused(code, { routine })))).toBe(part);
});

test("what no server said refuses no part of a login", () => {
  expect(refusedPart(connect(failed("ECONNREFUSED")))).toBeUndefined();
  expect(refusedPart(failed("28000"))).toBeUndefined();
});

test.each<[string, unknown]>([
  ["what is no error", "28P01"],
  ["a system's error", failed("ECONNRESET")],
  ["an error whose code is none of the server's", Object.assign(failed("ERR_TLS"), { severity: "FATAL" })],
  ["an error with a number for a code", Object.assign(new Error("x"), { severity: "FATAL", code: 28_000 })],
])("%s is no message of the server", (_, error) => {
  expect(serverMessageOf(error)).toBeUndefined();
});

test("of a message of the server what is no text is left out", () => {
  expect(serverMessageOf(refused("22012", { detail: 7, hint: "h" }))).toEqual({
    severity: "FATAL",
    sqlState: "22012",
    message: "the server's words",
    detail: undefined,
    hint: "h",
    routine: undefined,
  });
});
