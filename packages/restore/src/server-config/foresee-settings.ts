import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRoot, ownerOf, replaceFile } from "@soar/durable-files";
import { openTemporaryDirectory } from "@soar/durable-files/directories";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { splitChanged, suitToHost } from "./host-settings.ts";
import { AUTO_CONF, formsOf } from "./legal-files.ts";
import type { ChangedSetting } from "./refused-settings.ts";

/** What the restored server will read as its configuration. */
export interface ForeseenConfig {
  /** Of the backup, by the paths on the source. */
  readonly saved: ReadonlyMap<string, Buffer>;
  /** A postgresql.conf of this host that takes the place of all that was saved but what ALTER SYSTEM wrote. */
  readonly configFile: string | undefined;
}

interface ForeseeOptions {
  readonly binDir: string;
  /** Called where nobody knows before the data is there whether this host has huge pages enough. */
  readonly onUnknownPages?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What of its configuration the restored server would refuse on this host, and what it will be given instead: found as the
 * restore finds it, in a data directory that has nothing but these files and is removed.
 */
export async function foreseeChanged(
  { saved, configFile }: ForeseenConfig,
  { settings, source }: BackupRecord,
  { binDir, onUnknownPages, signal }: ForeseeOptions,
): Promise<ChangedSetting[]> {
  const last = join(source.dataDirectory, AUTO_CONF);
  const forms = formsOf(saved, { settings, source });
  const paths = [...saved.keys()].filter((path) => path !== last && forms.get(path) !== "access");
  const owner = configFile !== undefined && isRoot() ? await ownerOf(configFile) : undefined;
  await using directory = await openTemporaryDirectory(tmpdir(), "soar-settings-", { owner });
  const dataDir = directory.path;
  const write = async (name: string, texts: readonly string[]): Promise<void> =>
    await replaceFile(join(dataDir, name), plainSettings(texts), { mode: 0o600, owner, sync: "none" });
  if (configFile === undefined)
    await write(
      "postgresql.conf",
      paths.map((path) => textOf(saved, path)),
    );
  await write(AUTO_CONF, [splitChanged(textOf(saved, last)).own]);
  // The server that is going to be stopped may have taken them.
  return await suitToHost({ dataDir, configFile, binDir, owner, signal, pages: "all", onUnknownPages });
}

function textOf(saved: ReadonlyMap<string, Buffer>, path: string): string {
  return saved.get(path)?.toString("utf8") ?? "";
}

/** The last of each name, and nothing that leads to other files. */
function plainSettings(texts: readonly string[]): string {
  const values = new Map(texts.flatMap(parseConfigSettings).map(({ name, value }) => [name, value]));
  // A line end is written as it is nowhere; no setting that has one is of the host.
  const plain = [...values].filter(([, value]) => !/[\n\r\0]/.test(value));
  return plain.map(([name, value]) => `${formatConfigSetting(name, value)}\n`).join("");
}
