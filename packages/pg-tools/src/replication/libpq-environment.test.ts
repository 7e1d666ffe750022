import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { mountSmallDisk, requires } from "@soar-tooling/test-bench";
import { redactSecrets } from "@soar/errors";
import { expect, test, vi } from "vitest";
import { libpqEnvironment, openLibpqEnvironment } from "./libpq-environment.ts";

test("everything that a program needs to log in, and nothing of whoever runs this", async () => {
  const server = {
    host: "db",
    port: 5433,
    user: "soar",
    password: () => Promise.resolve("hunter2-of-libpq"),
    database: "flights",
    applicationName: "drill",
    clientEncoding: "LATIN1",
    connectTimeoutMs: 2500,
    tls: { mode: "verify-full" },
  } as const;
  expect(await libpqEnvironment(server, { PGSSLROOTCERT: "/etc/ca.pem" })).toEqual({
    LC_ALL: "C",
    PATH: expect.stringContaining("/usr/bin") as string,
    PGHOST: "db",
    PGPORT: "5433",
    PGUSER: "soar",
    PGDATABASE: "flights",
    PGAPPNAME: "drill",
    PGCLIENTENCODING: "LATIN1",
    PGOPTIONS: expect.stringMatching(
      /-c statement_timeout=0 .*-c default_transaction_isolation=read\\ committed .*-c temp_tablespaces=$/,
    ) as string,
    PGCONNECT_TIMEOUT: "3",
    PGGSSENCMODE: "disable",
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: "/etc/ca.pem",
    PGPASSWORD: "hunter2-of-libpq",
    PGPASSFILE: "/nonexistent",
  });
  expect(redactSecrets("it said hunter2-of-libpq")).not.toContain("hunter2");
});

test("on a server of our own the libraries that the source loads into sessions are left out, damage is told, and event triggers are off where a switch is known", async () => {
  const server = { host: "/tmp/own", port: 5432, user: "postgres", isOwnServer: true };
  const common = "-c session_preload_libraries= -c role=none -c zero_damaged_pages=off -c ignore_checksum_failure=off";
  for (const [postgresMajor, more] of [
    [undefined, ""],
    [16, ""],
    [17, " -c event_triggers=off"],
  ] as const)
    expect((await libpqEnvironment({ ...server, postgresMajor }))["PGOPTIONS"]?.endsWith(`${common}${more}`)).toBe(
      true,
    );
});

test("without a password none is looked for elsewhere, and a socket has no TLS", async () => {
  const environment = await libpqEnvironment({ host: "/run/postgresql", port: 5432, user: "postgres" });
  expect(environment).toMatchObject({ PGSSLMODE: "disable", PGPASSFILE: "/nonexistent", PGAPPNAME: "soar" });
  expect(environment).not.toHaveProperty("PGPASSWORD");
  expect(environment).not.toHaveProperty("PGDATABASE");
});

test("over TCP, without a word on TLS, a program takes what the server offers", async () => {
  expect(await libpqEnvironment({ host: "db", port: 5432, user: "soar" })).toMatchObject({ PGSSLMODE: "prefer" });
});

test("no certificate is left where the password is not to be had", async () => {
  const own = await mkdtemp(join(tmpdir(), "soar-tmp-"));
  vi.stubEnv("TMPDIR", own);
  const password = (): Promise<string> => Promise.reject(new Error("no password"));
  const opened = openLibpqEnvironment({
    host: "db",
    port: 5432,
    user: "soar",
    password,
    tls: { mode: "require", keyPem: "k" },
  });
  await expect(opened).rejects.toThrow("no password");
  vi.unstubAllEnvs();
  expect(await readdir(own)).toEqual([]);
  await rm(own, { recursive: true });
});

test("no key is left where a disk is full before everything is written", requires("mount"), async () => {
  using disk = mountSmallDisk(1);
  vi.stubEnv("TMPDIR", disk.path);
  const tls = { mode: "require", caPem: "the authority", certPem: "x".repeat(2 * 1024 * 1024) } as const;
  await expect(openLibpqEnvironment({ host: "db", port: 5432, user: "soar", tls })).rejects.toMatchObject({
    code: "DISK_FULL",
  });
  vi.unstubAllEnvs();
  expect(await readdir(disk.path)).toEqual([]);
});

test("certificates are private files for as long as they are needed", async () => {
  const server = { host: "db", port: 5432, user: "soar" };
  let file = "";
  {
    await using environment = await openLibpqEnvironment({
      ...server,
      tls: { mode: "verify-full", caPem: "the authority", keyPem: "the key" },
    });
    const { PGSSLROOTCERT, PGSSLKEY = "" } = environment.variables;
    file = PGSSLKEY;
    expect(environment.variables).not.toHaveProperty("PGSSLCERT");
    expect(await readFile(String(PGSSLROOTCERT), "utf8")).toBe("the authority");
    expect(await readFile(file, "utf8")).toBe("the key");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
  }
  await expect(stat(dirname(file))).rejects.toMatchObject({ code: "ENOENT" });
  await using without = await openLibpqEnvironment(server);
  expect(without.variables).not.toHaveProperty("PGSSLROOTCERT");
});
