import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseStartOptions, startedWith } from "./started-with.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "soar-started-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

/** As `CreateOptsFile` writes it. */
const written = (words: readonly string[]): string =>
  `/usr/lib/postgresql/15/bin/postgres${words.map((word) => ` "${word}"`).join("")}\n`;

test("the settings that a server was started with are found when it has stopped, however they were spelled", async () => {
  expect(await startedWith(dataDir)).toBeUndefined();
  const words = ["-D", "/srv/data", "-c", "config_file=/etc/a b/postgresql.conf", "--work-mem=5MB", "-p", "5433"];
  writeFileSync(join(dataDir, "postmaster.opts"), written([...words, "-k/run/a", "-i", "-l", "-N9", "-F", "-d", "3"]));
  expect(await startedWith(dataDir)).toEqual({
    config_file: "/etc/a b/postgresql.conf",
    work_mem: "5MB",
    port: "5433",
    unix_socket_directories: "/run/a",
    listen_addresses: "*",
    ssl: "on",
    max_connections: "9",
  });
});

test("every setting with any value is read as it was given, and the place of the data is left out", () => {
  const value = fc.string().filter((text) => !text.includes('"'));
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z][a-z_]*$/), value, { noNullPrototype: true }), (settings) => {
      const all = { data_directory: "/srv/data", ...settings };
      const words = Object.entries(all).flatMap(([name, text]) => ["-c", `${name}=${text}`]);
      const { data_directory: _, ...expected } = all;
      expect(parseStartOptions(written(["-D", "/srv/data", ...words]))).toEqual(expected);
    }),
  );
});

test("no file that a link leads to is read", async () => {
  symlinkSync("/etc/hostname", join(dataDir, "postmaster.opts"));
  await expect(startedWith(dataDir)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});
