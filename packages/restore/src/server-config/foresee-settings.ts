import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "@soar/durable-files";
import { makeTemporaryDirectory, removeTree } from "@soar/durable-files/directories";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { AUTO_CONF } from "./legal-files.ts";
import { hasHugePages, WITHOUT } from "./huge-pages.ts";
import { withDefaults } from "./host-settings.ts";
import { type ChangedSetting, findRefused, type RefusedSetting } from "./refused-settings.ts";

interface ForeseeOptions {
  readonly binDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** What of the saved configuration a server of this host would refuse, and what it would be given instead: asked before there is a server. */
export async function foreseeChanged(
  saved: ReadonlyMap<string, Buffer>,
  { settings, source }: BackupRecord,
  { binDir, signal }: ForeseeOptions,
): Promise<ChangedSetting[]> {
  const last = join(source.dataDirectory, AUTO_CONF);
  const paths = [...saved.keys()].filter((path) => path !== settings["hba_file"] && path !== settings["ident_file"]);
  const inOrder = [...paths.filter((path) => path !== last), ...paths.filter((path) => path === last)];
  const values = new Map<string, string>();
  for (const path of inOrder)
    for (const { name, value } of parseConfigSettings(saved.get(path)?.toString("utf8") ?? "")) values.set(name, value);
  const changed = await withDefaults(await refusedOf(values, { binDir, signal }), binDir);
  return values.get("huge_pages") === "on" && !(await hasHugePages()) ? [...changed, WITHOUT] : changed;
}

/** By a configuration of nothing else, in a directory that is removed. */
async function refusedOf(
  values: ReadonlyMap<string, string>,
  { binDir, signal }: ForeseeOptions,
): Promise<RefusedSetting[]> {
  const directory = await makeTemporaryDirectory(tmpdir(), "soar-settings-");
  try {
    // A line end is written as it is nowhere; no setting that has one is of the host.
    const plain = [...values].filter(([, value]) => !/[\n\r\0]/.test(value));
    const lines = plain.map(([name, value]) => formatConfigSetting(name, value));
    await replaceFile(join(directory, "postgresql.conf"), `${lines.join("\n")}\n`, { mode: 0o600, sync: "none" });
    return await findRefused({ binDir, directory, signal });
  } finally {
    await removeTree(directory, { sync: "none" });
  }
}
