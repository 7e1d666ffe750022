import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sampleRecord } from "@soar-tooling/sample-repository";
import type { BackupRecord } from "@soar/repository";
import { configAsItWas, parseStartOptions, startedWith } from "./started-with.ts";

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
  const started = await startedWith(dataDir);
  expect(started?.configDir).toBe("/srv/data");
  expect(started?.settings).toEqual({
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
      expect(parseStartOptions(written(["-D", "/srv/data", ...words]))).toEqual({
        settings: expected,
        configDir: "/srv/data",
      });
    }),
  );
});

test("a word may have several lines and quotation marks, and the last of several counts", () => {
  const words = ["-B", "64MB", "-hlocal", "-h", "10.0.0.1", "-c", 'x="a" b\nc', '--y-z=1"2', "-p", "5433"];
  expect(parseStartOptions(written(words))).toEqual({
    settings: { shared_buffers: "64MB", listen_addresses: "10.0.0.1", x: '"a" b\nc', y_z: '1"2', port: "5433" },
    configDir: undefined,
  });
});

test("a server that was started with the directory of its configuration is started with that again, and by what the backup tells where the words are relative", async () => {
  const etc = mkdtempSync(join(tmpdir(), "soar-etc-"));
  for (const place of [etc, dataDir])
    for (const name of ["postgresql.conf", "pg_hba.conf"]) writeFileSync(join(place, name), "");
  const record = sampleRecord({});
  const plain = { ...record, settings: {}, source: { ...record.source, dataDirectory: dataDir } };
  const [configFile, hba_file] = [join(etc, "postgresql.conf"), join(etc, "pg_hba.conf")];
  const told = { ...plain, settings: { config_file: configFile, hba_file } };
  const startOf = async (backup: BackupRecord, words: readonly string[]) => {
    writeFileSync(join(dataDir, "postmaster.opts"), written(words));
    const { brought: _, ...config } = await configAsItWas(backup, dataDir);
    return config;
  };
  expect(await startOf(plain, ["-D", etc, "-p", "5433"])).toEqual({ configFile, settings: { hba_file, port: "5433" } });
  // By its own directory it has read what lies there, whatever the backup was taken with.
  symlinkSync(dataDir, join(etc, "data"));
  for (const place of [dataDir, join(etc, "data")])
    expect(await startOf(told, ["-D", place])).toEqual({ configFile: undefined, settings: {} });
  for (const words of [
    ["-D", "../etc"],
    ["-D", dataDir, "-c", "config_file=etc/postgresql.conf"],
    ["-c", "hba_file=etc/pg_hba.conf"],
    ["-D", join(etc, "none")],
    [],
  ])
    expect(await startOf(told, words)).toEqual({ configFile, settings: { hba_file } });
  expect(await startOf(told, ["-D", dataDir, "-c", `config_file=${configFile}`, "-c", "hba_file=pg_hba.conf"])).toEqual(
    {
      configFile: undefined,
      settings: { config_file: configFile, hba_file },
    },
  );
  expect(await startOf(told, ["-D", dataDir, "-c", "hba_file=pg_hba.conf"])).toEqual({
    configFile: undefined,
    settings: { hba_file },
  });
  writeFileSync(configFile, "hba_file = '/opt/soar-test-hba'\n");
  expect(await startOf(plain, ["-D", etc])).toEqual({ configFile, settings: {} });
  rmSync(etc, { recursive: true });
});

test("its command line counts more than what the backup tells, and that more than what lies beside its configuration", async () => {
  const [etc, other] = [mkdtempSync(join(tmpdir(), "soar-etc-")), mkdtempSync(join(tmpdir(), "soar-etc-"))];
  for (const place of [etc, other])
    for (const name of ["postgresql.conf", "pg_hba.conf"]) writeFileSync(join(place, name), "");
  const apart = join(etc, "apart.conf");
  writeFileSync(apart, "");
  const configFile = join(etc, "postgresql.conf");
  const record = sampleRecord({});
  const told = {
    ...record,
    settings: { config_file: configFile, hba_file: apart },
    source: { ...record.source, dataDirectory: dataDir },
  };
  // Nothing is known of its start, as behind a restore.
  expect(await configAsItWas(told, dataDir)).toEqual({ configFile, settings: { hba_file: apart }, brought: [] });
  const startOf = async (words: readonly string[]) => {
    writeFileSync(join(dataDir, "postmaster.opts"), written(words));
    const { brought: _, ...config } = await configAsItWas(told, dataDir);
    return config;
  };
  expect(await startOf(["-D", etc])).toEqual({ configFile, settings: { hba_file: apart } });
  expect(await startOf(["-D", etc, "-c", "hba_file=/srv/hba"])).toEqual({
    configFile,
    settings: { hba_file: "/srv/hba" },
  });
  const elsewhere = join(other, "postgresql.conf");
  expect(await startOf(["-D", other])).toEqual({
    configFile: elsewhere,
    settings: { hba_file: join(other, "pg_hba.conf") },
  });
  expect(await startOf(["-D", other, "-c", "hba_file=hba.conf"])).toEqual({
    configFile: elsewhere,
    settings: { hba_file: apart },
  });
  expect(await startOf(["-c", `config_file=${elsewhere}`])).toEqual({
    configFile: undefined,
    settings: { config_file: elsewhere },
  });
  // As seen from where this runs, and not from where the server was started.
  expect(await startOf(["-D", relative(process.cwd(), other)])).toEqual({ configFile, settings: { hba_file: apart } });
  for (const place of [etc, other]) rmSync(place, { recursive: true });
});

test("no file that a link leads to is read", async () => {
  symlinkSync("/etc/hostname", join(dataDir, "postmaster.opts"));
  await expect(startedWith(dataDir)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
});
