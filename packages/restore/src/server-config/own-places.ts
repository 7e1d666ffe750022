import { dirname, join } from "node:path";
import { type Owner, readTextIfPresent, replaceFile } from "@soar/durable-files";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { inDataDirectory } from "../data-directory.ts";
import { isFile } from "../is-file.ts";

/** Above the settings that are the copy's own. */
export const OWN_PLACES = "# soar: where this copy differs from the server that was backed up";

/**
 * A postgresql.conf that came with the data may name the directory of its source, which wins over the one that the server is
 * started with: a start of the copy would be one of the source. It may name the source's access rules there too, and the file for
 * its process id, wherever that lies. Repeatable.
 *
 * @param source where the file lay on the server that was backed up
 */
export async function nameOwnPlaces(dataDir: string, source: string | undefined, owner?: Owner): Promise<void> {
  const within = inDataDirectory(dataDir, owner);
  const path = join(dataDir, "postgresql.conf");
  const text = (await readTextIfPresent(path, { within })) ?? "";
  const named = new Map(parseConfigSettings(text).map(({ name, value }) => [name, value]));
  const own: Record<string, string> = {};
  // What is included may name it, too.
  const isOpen = named.has("data_directory") || /^\s*include/im.test(text);
  if (isOpen && named.get("data_directory") !== dataDir) own["data_directory"] = dataDir;
  // It is written and removed by every server that names it.
  const pidFile = join(dataDir, "server.pid");
  if (named.has("external_pid_file") && named.get("external_pid_file") !== pidFile) own["external_pid_file"] = pidFile;
  for (const setting of source === undefined ? [] : ACCESS_FILE_SETTINGS) {
    const moved = ownFile(named.get(setting), dirname(source ?? ""), dataDir);
    if (moved !== undefined && (await isFile(moved))) own[setting] = moved;
  }
  const lines = Object.entries(own).map(([name, value]) => formatConfigSetting(name, value));
  if (lines.length === 0) return;
  const content = `${text.trimEnd()}\n${[OWN_PLACES, ...lines, ""].join("\n")}`;
  await replaceFile(path, content, { mode: 0o600, keepMode: true, sync: "directory", within });
}

/** The copy's own of a file that is named in the source's data directory. */
function ownFile(named: string | undefined, sourceDir: string, dataDir: string): string | undefined {
  if (named?.startsWith(`${sourceDir}/`) !== true || sourceDir === dataDir) return undefined;
  return join(dataDir, named.slice(sourceDir.length));
}
