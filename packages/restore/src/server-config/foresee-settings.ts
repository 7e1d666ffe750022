import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRoot, ownerOf, replaceFile } from "@soar/durable-files";
import { openTemporaryDirectory } from "@soar/durable-files/directories";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { splitChanged, suitToHost } from "./host-settings.ts";
import { AUTO_CONF, formsOf } from "./legal-files.ts";
import { askSetting, type AskOptions, type ChangedSetting } from "./refused-settings.ts";

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

export interface Foreseen {
  /** What the restored server would refuse on this host, and what it will be given instead. */
  readonly changed: readonly ChangedSetting[];
  /** What it will come to, of what names places on the host. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * What the configuration of the restored server will be on this host: found as the restore finds it, in a data directory that has
 * nothing but these files and is removed.
 */
export async function foreseeSettings(
  { saved, configFile }: ForeseenConfig,
  { settings, source }: BackupRecord,
  { binDir, onUnknownPages, signal }: ForeseeOptions,
): Promise<Foreseen> {
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
  const asked = { configFile, binDir, owner, signal };
  const changed = await suitToHost({ ...asked, dataDir, pages: "all", onUnknownPages });
  return { changed, settings: await askPlaces({ ...asked, directory: dataDir }) };
}

const PLACES = [
  "logging_collector",
  "log_directory",
  "unix_socket_directories",
  "ssl",
  "shared_preload_libraries",
  "dynamic_library_path",
];
/** Of a server that has `ssl` on. */
export const PLACES_OF_SSL = ["ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file"];

/** Settings that name places on the host, as a configuration has them; none where the server refuses it. */
export async function askPlaces(options: AskOptions): Promise<Record<string, string>> {
  const ask = async (names: readonly string[]) =>
    await Promise.all(
      names.map(async (name) => [name, await askSetting({ ...options, logging: "own" }, name)] as const),
    );
  const places = await ask(PLACES);
  const isSecure = places.some(([name, value]) => name === "ssl" && value === "on");
  const found = isSecure ? [...places, ...(await ask(PLACES_OF_SSL))] : places;
  return Object.fromEntries(found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
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
