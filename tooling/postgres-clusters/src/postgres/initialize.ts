import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runAsServerUser } from "@soar-tooling/test-bench";
import { chownSync, existsSync } from "node:fs";
import type { Place, Settings, TestClusterOptions } from "./cluster-options.ts";
import { serverUser } from "@soar-tooling/test-bench";
import { copyTemplate, keepTemplate, templatePath } from "./initdb-template.ts";
import type { PostgresInstallation } from "./installations.ts";

/** Small and quick; nothing that changes what archiving, backup or recovery do. */
const TEST_SETTINGS: Settings = {
  listen_addresses: "127.0.0.1",
  shared_buffers: "64MB",
  max_connections: 50,
  lc_messages: "C",
  log_timezone: "UTC",
  log_line_prefix: "%m [%p] ",
  timezone: "UTC",
};

/** Does what `initdb` does and writes postgresql.conf and pg_hba.conf. The data directory belongs to the servers' user. */
export async function initialize(place: Place, options: TestClusterOptions): Promise<void> {
  const password =
    options.password === undefined ? [] : [`--pwfile=${await writePassword(place.base, options.password)}`];
  await makeDataDirectory(place.dataDir, options.installation, [...password, ...(options.initdbArgs ?? [])]);
  await rm(join(place.base, "password"), { force: true });
  await appendFile(join(place.dataDir, "postgresql.conf"), settingLines(allSettings(place, options)));
  await prependHba(join(place.dataDir, "pg_hba.conf"), options);
}

const INITDB_ARGS = ["-U", "postgres", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync"];

async function makeDataDirectory(
  dataDir: string,
  installation: PostgresInstallation,
  args: readonly string[],
): Promise<void> {
  const template = templatePath(installation, args);
  if (template !== undefined && existsSync(template)) return copyTemplate(template, dataDir);
  await runAsServerUser(join(installation.binDir, "initdb"), ["-D", dataDir, ...INITDB_ARGS, ...args]);
  if (template !== undefined) keepTemplate(dataDir, template);
}

/** Lines of postgresql.conf. */
export function settingLines(settings: Settings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'\n`);
  return lines.join("");
}

function allSettings({ port, socketDir }: Place, options: TestClusterOptions): Settings {
  const archiving =
    options.archiveCommand === undefined ? {} : { archive_mode: "on", archive_command: options.archiveCommand };
  return {
    ...TEST_SETTINGS,
    port,
    unix_socket_directories: socketDir,
    fsync: options.fsync ?? false,
    ...archiving,
    ...options.settings,
  };
}

async function prependHba(path: string, options: TestClusterOptions): Promise<void> {
  const byPassword = ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"];
  const lines = [...(options.hba ?? []), ...(options.password === undefined ? [] : byPassword)];
  await writeFile(path, `${lines.join("\n")}\n${await readFile(path, "utf8")}`);
}

async function writePassword(base: string, password: string): Promise<string> {
  const path = join(base, "password");
  await writeFile(path, password, { mode: 0o600 });
  chownSync(path, serverUser().uid, serverUser().gid);
  return path;
}
