import { join } from "node:path";
import {
  isRoot,
  lstatIfPresent,
  type Owner,
  ownerOf,
  readIfPresent,
  readTextIfPresent,
  replaceFile,
} from "@soar/durable-files";
import { decodeName, encodeName } from "@soar/seekable-tar/members";
import { formatConfigSetting, parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { inDataDirectory } from "../data-directory.ts";
import { type HugePages, lackedHugePages } from "./huge-pages.ts";
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
  /** Which huge pages of this host count: the free ones, unless the server that has taken them is going to be stopped. */
  readonly pages?: HugePages | undefined;
  /** Called where it is not to be told whether there are huge pages enough. */
  readonly onUnknownPages?: (() => void) | undefined;
}

const BEGIN = "# soar: this host lacks what the source had; ALTER SYSTEM RESET takes one of these back.";
const END = "# soar: end of what this host lacks";
/** The second for what was hidden by the first. */
const ROUNDS = 2;

/**
 * Gives settings that keep the server of a restored data directory from starting on this host a value that does not, where
 * it counts more than in all other files. What a restore has changed there before, maybe on the host that was backed up, is
 * taken back first: this host is asked, and no other. Repeatable. Resolves to all that is changed there.
 */
export async function suitToHost(options: HostOptions): Promise<ChangedSetting[]> {
  const { dataDir } = options;
  const owner = options.owner ?? (isRoot() ? await ownerOf(dataDir) : undefined);
  const asked = { ...options, owner, directory: dataDir };
  await takeBack(dataDir, owner);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const refused = await findRefused(asked);
    const changed = await withDefaults(refused, options.binDir);
    if (changed.length === 0) break;
    await addChanged(dataDir, changed, await spellings(options), owner);
  }
  const pages = await lackedHugePages(asked, options.pages ?? "free", options.onUnknownPages);
  if (pages !== undefined) await addChanged(dataDir, [pages], new Map(), owner);
  return await readChanged(dataDir);
}

/** What would be given instead; nothing for one that has no default of which this host knows. */
async function withDefaults(refused: readonly RefusedSetting[], binDir: string): Promise<ChangedSetting[]> {
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

/** Everything that a restore has changed there for the sake of the host that it ran on. */
export async function readChanged(dataDir: string): Promise<ChangedSetting[]> {
  const block = splitChanged(await readAuto(dataDir)).changed;
  const read = (texts: readonly string[]) => parseConfigSettings(texts.join("\n"));
  const now = new Map(read(block).map(({ name, value }) => [name, value]));
  const before = read(block.filter((line) => line.startsWith("#")).map((line) => line.slice(1)));
  return before.map(({ name, value }) => ({ name, value, now: now.get(name) ?? "" }));
}

/** A `postgresql.auto.conf` as it is without what restores have changed, and the lines of that. */
export function splitChanged(text: string): { readonly own: string; readonly changed: readonly string[] } {
  const lines = text.split("\n");
  const changed: string[] = [];
  for (let end = lines.indexOf(END); end >= 0; end = lines.indexOf(END, end)) {
    const begin = lines.lastIndexOf(BEGIN, end);
    // Without its beginning it is a comment.
    if (begin < 0) end += 1;
    else {
      changed.push(...lines.splice(begin, end - begin + 1).slice(1, -1));
      end = begin;
    }
  }
  return { own: lines.join("\n"), changed };
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
  await writeAuto(dataDir, next, owner);
}

async function takeBack(dataDir: string, owner: Owner | undefined): Promise<void> {
  const text = await readAuto(dataDir);
  const { own } = splitChanged(text);
  if (own !== text) await writeAuto(dataDir, own, owner);
}

async function writeAuto(dataDir: string, text: string, owner: Owner | undefined): Promise<void> {
  const within = inDataDirectory(dataDir, owner);
  await replaceFile(join(dataDir, AUTO_CONF), encodeName(text), {
    mode: 0o600,
    keepMode: true,
    sync: "directory",
    within,
  });
}

async function readAuto(dataDir: string): Promise<string> {
  return decodeName((await readIfPresent(join(dataDir, AUTO_CONF), { within: { base: dataDir } })) ?? Buffer.alloc(0));
}
