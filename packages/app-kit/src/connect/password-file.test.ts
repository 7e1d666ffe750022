import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPassword, matchPassword } from "./password-file.ts";

const FILE = String.raw`# comment:5432:*:*:no
db1:5432:soar:postgres:first
db1:*:replication:postgres:for replication
db1:*:*:*:any
localhost:5432:*:*:local
[not enough
::1:5432:x:y:broken
\:\:1:5432:*:*:with \\ and \: in it
/srv/socket:5432:*:*:socket
*:6000:*:*:everywhere:not this
`;
const query = { host: "db1", port: 5432, database: "soar", user: "postgres" };

test.each([
  [{}, "first"],
  [{ database: "replication" }, "for replication"],
  [{ user: "other" }, "any"],
  [{ host: "localhost" }, "local"],
  [{ host: undefined }, "local"],
  [{ host: "/var/run/postgresql" }, "local"],
  [{ host: "/tmp" }, "local"],
  [{ host: "/srv/socket" }, "socket"],
  [{ host: "::1" }, String.raw`with \ and : in it`],
  [{ host: "elsewhere", port: 6000 }, "everywhere"],
  [{ host: "elsewhere" }, undefined],
  [{ host: "comment", user: "no" }, undefined],
])("%o finds %j", (change, password) => {
  expect(matchPassword(FILE, { ...query, ...change })).toBe(password);
});

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "soar-pgpass-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

test("a file that others may read is left alone, and it is said why", () => {
  const file = path.join(directory, "pgpass");
  writeFileSync(file, FILE);
  chmodSync(file, 0o600);
  expect(findPassword(query, file)).toEqual({ password: "first", warning: undefined });
  chmodSync(file, 0o640);
  expect(findPassword(query, file)).toEqual({
    password: undefined,
    warning: expect.stringContaining(`chmod 600 ${file}`),
  });
});

test("no file, no password; a directory is named", () => {
  expect(findPassword(query, path.join(directory, "none"))).toEqual({ password: undefined, warning: undefined });
  expect(findPassword(query, directory).warning).toContain("not a plain file");
});

test("a file that cannot be read is left alone, and it is said why", () => {
  const loop = path.join(directory, "loop");
  symlinkSync(loop, loop);
  expect(findPassword(query, loop)).toEqual({
    password: undefined,
    warning: expect.stringContaining("cannot be read (ELOOP)") as string,
  });
});
