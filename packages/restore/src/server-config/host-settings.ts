import { join } from "node:path";
import { isRoot, lstatIfPresent, type Owner, ownerOf, readTextIfPresent, replaceFile } from "@soar/durable-files";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { inDataDirectory } from "../data-directory.ts";
import { lackedHugePages } from "./huge-pages.ts";
import { AUTO_CONF } from "./legal-files.ts";
import {
  type AskOptions,
  type ChangedSetting,
  defaultsOf,
  findRefused,
  type RefusedSetting,
} from "./refused-settings.ts";

export interface HostOptions extends Omit<AskOptions, "directory"> {
  readonly dataDir: string;
}

const BEGIN = "# soar: this host lacks what the source had; ALTER SYSTEM RESET takes one of these back.";
const END = "# soar: end of what this host lacks";
/** The second for what was hidden by the first. */
const ROUNDS = 2;

/**
 * Gives settings that keep the server of a restored data directory from starting on this host a value that does not, where
 * it counts more than in all other files. Repeatable; what was changed once stays until it is taken back. Resolves to all that
 * is changed there.
 */
export async function suitToHost(options: HostOptions): Promise<ChangedSetting[]> {
  const { dataDir } = options;
  const owner = options.owner ?? (isRoot() ? await ownerOf(dataDir) : undefined);
  const asked = { ...options, owner, directory: dataDir };
  for (let round = 1; round <= ROUNDS; round += 1) {
    const refused = await findRefused(asked);
    const changed = await withDefaults(refused, options.binDir);
    if (changed.length === 0) break;
    await addChanged(dataDir, changed, await spellings(options), owner);
  }
  const pages = await lackedHugePages(asked);
  if (pages !== undefined) await addChanged(dataDir, [pages], new Map(), owner);
  return await readChanged(dataDir);
}

/** What would be given instead; nothing for one that has no default of which this host knows. */
export async function withDefaults(refused: readonly RefusedSetting[], binDir: string): Promise<ChangedSetting[]> {
  if (refused.length === 0) return [];
  const defaults = await defaultsOf(
    refused.map(({ name }) => name),
    binDir,
  );
  return refused.flatMap(({ name, value }) => {
    const now = defaults.get(name);
    return now === undefined || now === value ? [] : [{ name, value, now }];
  });
}

/** Everything that restores have changed there for the sake of this host. */
export async function readChanged(dataDir: string): Promise<ChangedSetting[]> {
  const lines = (await readAuto(dataDir)).split("\n");
  const [begin, end] = [lines.indexOf(BEGIN), lines.indexOf(END)];
  if (begin < 0 || end < begin) return [];
  const block = lines.slice(begin + 1, end);
  const read = (texts: readonly string[]) => parseConfigSettings(texts.join("\n"));
  const now = new Map(read(block).map(({ name, value }) => [name, value]));
  const before = read(block.filter((line) => line.startsWith("#")).map((line) => line.slice(1)));
  return before.map(({ name, value }) => ({ name, value, now: now.get(name) ?? "" }));
}

/** For people. */
export function describeChanged({ name, value, now }: ChangedSetting): string {
  return `${name} = '${now}' in postgresql.auto.conf, because this host does not have '${value}'`;
}

/**
 * A server replaces an earlier setting by a later one only where both are spelled alike, and reads `timezone` for `TimeZone`.
 */
async function spellings({ dataDir, configFile }: HostOptions): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const path = configFile ?? join(dataDir, "postgresql.conf");
  // Where a link leads, root has nothing to read.
  const text = (await lstatIfPresent(path))?.isFile() === true ? ((await readTextIfPresent(path)) ?? "") : "";
  const found = new Map<string, Set<string>>();
  for (const [, name = ""] of text.matchAll(/^[ \t]*([A-Za-z_]\w*)/gm))
    found.set(name.toLowerCase(), (found.get(name.toLowerCase()) ?? new Set()).add(name));
  return found;
}

async function addChanged(
  dataDir: string,
  changed: readonly ChangedSetting[],
  spelled: ReadonlyMap<string, ReadonlySet<string>>,
  owner: Owner | undefined,
): Promise<void> {
  const text = await readAuto(dataDir);
  const known = new Set((await readChanged(dataDir)).map(({ name }) => name));
  const lines = changed.flatMap(({ name, value, now }) => {
    const lower = name.toLowerCase();
    const names = new Set([lower, name, ...(spelled.get(lower) ?? [])]);
    return [
      ...(known.has(lower) ? [] : [`# ${formatConfigSetting(lower, value)}`]),
      ...Array.from(names, (one) => formatConfigSetting(one, now)),
    ];
  });
  const rest = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  const next = rest.includes(`${END}\n`)
    ? rest.replace(`${END}\n`, () => [...lines, END, ""].join("\n"))
    : rest + [BEGIN, ...lines, END, ""].join("\n");
  const within = inDataDirectory(dataDir, owner);
  await replaceFile(join(dataDir, AUTO_CONF), next, { mode: 0o600, keepMode: true, sync: "directory", within });
}

async function readAuto(dataDir: string): Promise<string> {
  return (await readTextIfPresent(join(dataDir, AUTO_CONF), { within: { base: dataDir } })) ?? "";
}
