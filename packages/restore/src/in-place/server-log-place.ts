import { join, resolve } from "node:path";
import { isRoot, ownerOf, readTextIfPresent } from "@soar/durable-files";
import type { ConfigChoice } from "../server-config/config-choice.ts";
import { askSetting } from "../server-config/refused-settings.ts";

interface LogPlaceOptions {
  readonly dataDir: string;
  readonly binDir: string;
  readonly config: ConfigChoice;
  /** Gets what the server prints. */
  readonly printed: string;
}

/**
 * Where a server that was started with its own settings writes its log: by these settings, which may leave next to nothing to what it
 * prints. The file of its collector, or the directory where it has not told of a file yet; undefined where it is the business
 * of a service.
 */
export async function findServerLog({
  dataDir,
  binDir,
  config,
  printed,
}: LogPlaceOptions): Promise<string | undefined> {
  const owner = isRoot() ? await ownerOf(dataDir) : undefined;
  const ask = async (name: string): Promise<string | undefined> =>
    config.settings[name] ??
    (await askSetting({ binDir, directory: dataDir, configFile: config.configFile, owner, logging: "own" }, name));
  if ((await ask("logging_collector")) !== "on")
    return (await ask("log_destination")) === "syslog" ? undefined : printed;
  const files = await readTextIfPresent(join(dataDir, "current_logfiles"), { within: { base: dataDir } });
  // "stderr log/postgresql.log", one line for each kind of log (`update_metainfo_datafile`, syslogger.c).
  const file = /^\w+ (.+)$/m.exec(files ?? "")?.[1];
  return resolve(dataDir, file ?? (await ask("log_directory")) ?? "log");
}
