import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nameOwnPlaces } from "./own-places.ts";

let copy: string;
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), "soar-copy-"));
  writeFileSync(join(copy, "pg_hba.conf"), "");
});
afterEach(() => rmSync(copy, { recursive: true }));

/** What the server then reads, and the whole text. */
async function settingsOf(text: string, source = "/srv/source/postgresql.conf") {
  writeFileSync(join(copy, "postgresql.conf"), text);
  await nameOwnPlaces(copy, source);
  const once = readFileSync(join(copy, "postgresql.conf"), "utf8");
  await nameOwnPlaces(copy, source);
  expect(readFileSync(join(copy, "postgresql.conf"), "utf8")).toBe(once);
  return { text: once, ...Object.fromEntries(parseConfigSettings(once).map(({ name, value }) => [name, value])) };
}

test("a configuration that names no place stays as it was", async () => {
  const text = "port = 5433\n#data_directory = '/srv/source'\nhba_file = '/etc/pg_hba.conf'\nident_file = 'x'\n";
  expect(await settingsOf(text)).toMatchObject({ text });
});

test.each([
  "data_directory = '/srv/source'\n",
  "DATA_DIRECTORY '/srv/source' # here\nport = 1",
  "include_dir = 'conf.d'\n",
  "  include_if_exists '/etc/more.conf'\n",
])("a copy runs in its own directory, whatever its configuration names: %j", async (text) => {
  expect(await settingsOf(text)).toMatchObject({ data_directory: copy });
});

test("the process id of a copy is not written where its source's stands", async () => {
  expect(await settingsOf("external_pid_file = '/run/postgresql/15.pid'\n")).toMatchObject({
    external_pid_file: join(copy, "server.pid"),
  });
});

test.each([
  ["log_directory = '/srv/source/log'\n", "log"],
  ["log_directory = '../log'\n", "log"],
  ["log_directory = 'pg_log'\ninclude_dir 'conf.d'\n", "pg_log"],
  ["include_dir 'conf.d'\n", "log"],
  ["log_directory = 'pg_log'\n", "pg_log"],
])("the log of a copy is not written where its source's stands: %j", async (text, expected) => {
  expect(await settingsOf(text)).toMatchObject({ log_directory: expected });
});

test("what ALTER SYSTEM said on the source of places that a server writes to counts for no copy", async () => {
  const path = join(copy, "postgresql.auto.conf");
  const lines = [
    "# of ALTER SYSTEM",
    "log_directory = '/srv/source/log'",
    "external_pid_file = '/run/15.pid'",
    "port = '1'",
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  await settingsOf("port = 5433\n");
  expect(readFileSync(path, "utf8")).toBe(
    "# of ALTER SYSTEM\n#log_directory = '/srv/source/log'\n#external_pid_file = '/run/15.pid'\nport = '1'\n",
  );
});

test("access rules of the source's directory are the copy's own, where it has them", async () => {
  const text = "hba_file = '/srv/source/pg_hba.conf'\nident_file = '/srv/source/none.conf'\n";
  expect(await settingsOf(text)).toMatchObject({
    hba_file: join(copy, "pg_hba.conf"),
    ident_file: "/srv/source/none.conf",
  });
});
