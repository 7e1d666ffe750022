import { mkdtemp, rm } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSelfSignedCertificate } from "@soar-tooling/s3-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { errorResponse, message, ready, resultSet } from "../../test/backend-frames.ts";
import { PROCESS_ID, startScriptedServer } from "../../test/scripted-server.ts";
import { identifySystem } from "./replication-commands.ts";
import { connectReplication } from "./replication-connection.ts";
import type { ServerTls } from "./connection-config.ts";
import { connectSql } from "./sql-connection.ts";

const IDENTITY = {
  to: "IDENTIFY_SYSTEM",
  send: Buffer.concat([
    resultSet(["systemid", "timeline", "xlogpos", "dbname"], ["7000000000000000001", "1", "0/3000060", null]),
    ready,
  ]),
};

describe("a session says what it is at its start", () => {
  test.each([
    [undefined, "true"],
    ["physical", "true"],
    ["database", "database"],
  ] as const)("replication in mode %s", async (mode, expected) => {
    await using server = await startScriptedServer();
    const options = mode === undefined ? {} : { mode };
    await using connection = await connectReplication({ ...server.config, database: "flights" }, options);
    expect(connection.serverVersion).toBe(150_020);
    expect(server.sessions).toMatchObject([{ user: "soar", database: "flights", replication: expected }]);
    expect(server.sessions[0]?.["options"]).toContain("-c statement_timeout=0");
  });

  test("SQL, with a name and a database of its own where none is given", async () => {
    await using server = await startScriptedServer();
    await using _connection = await connectSql(server.config);
    expect(server.sessions).toMatchObject([{ database: "postgres", application_name: "soar" }]);
    expect(server.sessions[0]).not.toHaveProperty("replication");
  });
});

describe("the version of the server", () => {
  test.each([
    ["18beta1", 180_000],
    ["15.20 (Debian 15.20-1)", 150_020],
  ])("%s is %i", async (version, expected) => {
    await using server = await startScriptedServer({ version });
    await using connection = await connectReplication(server.config);
    expect(connection.serverVersion).toBe(expected);
  });

  test.each(["14.19", "devel", ""])("%j is too old or unknown, and the session is ended politely", async (version) => {
    await using server = await startScriptedServer({ version });
    await expect(connectReplication(server.config)).rejects.toMatchObject({
      code: "SERVER_VERSION",
      hint: "PostgreSQL 15 or newer is needed.",
    });
    expect(server.goodbyes).toBe(1);
  });
});

test("what the server says instead of letting anybody in is what the operator is told", async () => {
  const refusal = errorResponse({ V: "FATAL", C: "57P03", M: "the database system is starting up" });
  await using server = await startScriptedServer({ refusal });
  await expect(connectSql(server.config)).rejects.toMatchObject({
    code: "SERVER_UNREACHABLE",
    message: expect.stringContaining("the database system is starting up [57P03]"),
    retryable: true,
  });
});

describe("a server that accepts and never answers", () => {
  test("is given up when the caller stops", async () => {
    await using server = await startScriptedServer({ isSilent: true });
    const stop = new AbortController();
    const connecting = connectSql(server.config, { signal: stop.signal });
    await expect.poll(() => server.sessions).toHaveLength(1);
    stop.abort(new Error("the operator stopped it"));
    await expect(connecting).rejects.toMatchObject({
      code: "ABORTED",
      cause: expect.objectContaining({ message: "the operator stopped it" }),
    });
  });

  test("is given up too when it stops while TLS is agreed upon, or while the password is looked for", async () => {
    const stop = new AbortController();
    const tls = createSelfSignedCertificate(Date.now());
    const options = { tls: { cert: tls.certPem, key: tls.keyPem }, isSilent: true };
    await using server = await startScriptedServer(options);
    const connecting = connectSql({ ...server.config, tls: { mode: "require" } }, { signal: stop.signal });
    await expect.poll(() => server.sessions).toHaveLength(1);
    stop.abort();
    await expect(connecting).rejects.toMatchObject({ code: "ABORTED" });

    const again = new AbortController();
    // AuthenticationCleartextPassword.
    await using asking = await startScriptedServer({ refusal: message("R", Buffer.from([0, 0, 0, 3])) });
    const password = (): Promise<string> => {
      again.abort();
      return new Promise(() => undefined);
    };
    const waiting = connectSql({ ...asking.config, password }, { signal: again.signal });
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("is given up after the time that it is given", async () => {
    await using server = await startScriptedServer({ isSilent: true });
    await expect(connectSql({ ...server.config, connectTimeoutMs: 50 })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringContaining("timeout expired"),
    });
  });
});

describe("a command that is stopped", () => {
  const stopped = async (options: Parameters<typeof startScriptedServer>[0]): Promise<number[]> => {
    const server = await startScriptedServer(options);
    await using _server = server;
    const connection = await connectReplication(server.config);
    const running = identifySystem(connection, { signal: AbortSignal.abort() });
    await expect(running).rejects.toMatchObject({ code: "ABORTED" });
    // Nothing is left to be said or waited for.
    await connection.close();
    if (options?.hasCancelKey !== false) await expect.poll(() => server.cancelled).toHaveLength(1);
    return server.cancelled;
  };

  test("is cancelled in the server, over the port or the socket that it is reached by", async () => {
    const socketDir = await mkdtemp(join(tmpdir(), "soar-cancel-"));
    onTestFinished(() => rm(socketDir, { recursive: true }));
    expect(await stopped({ replies: [IDENTITY] })).toEqual([PROCESS_ID]);
    expect(await stopped({ replies: [IDENTITY], socketDir })).toEqual([PROCESS_ID]);
  });

  test("is not cancelled where a pooler gave no key, and ends all the same", async () => {
    expect(await stopped({ replies: [IDENTITY], hasCancelKey: false })).toEqual([]);
  });
});

describe("TLS", () => {
  const { certPem, keyPem } = createSelfSignedCertificate(Date.now());
  const client = createSelfSignedCertificate(Date.now());
  const tls = { cert: certPem, key: keyPem, requestCert: true, rejectUnauthorized: false };

  /** What the server is asked for, over an encrypted connection. */
  const identify = async (serverTls: ServerTls, address = "127.0.0.1"): Promise<{ certificates: Buffer[] }> => {
    await using server = await startScriptedServer({ tls, address, replies: [IDENTITY] });
    await using connection = await connectReplication({ ...server.config, tls: serverTls });
    expect(await identifySystem(connection)).toMatchObject({ systemIdentifier: "7000000000000000001" });
    return { certificates: server.certificates };
  };

  test("proves nothing where it is only required, and uses no certificate of its own", async () => {
    expect(await identify({ mode: "require" })).toEqual({ certificates: [] });
  });

  test("shows the certificate that is given", async () => {
    const { certificates } = await identify({ mode: "require", certPem: client.certPem, keyPem: client.keyPem });
    expect(certificates).toEqual([new X509Certificate(client.certPem).raw]);
  });

  test("proves who answers, by issuer or by name too", async () => {
    await identify({ mode: "verify-full", caPem: certPem });
    await identify({ mode: "verify-ca", caPem: certPem }, "127.0.0.2");
    await expect(identify({ mode: "verify-full", caPem: certPem }, "127.0.0.2")).rejects.toMatchObject({
      code: "SERVER_DENIED",
      hint: expect.stringContaining("certificates"),
    });
    for (const mode of ["verify-ca", "verify-full"] as const)
      await expect(identify({ mode, caPem: client.certPem })).rejects.toMatchObject({ code: "SERVER_DENIED" });
  });
});
