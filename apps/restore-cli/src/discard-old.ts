import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { confirmOptions, defineCommand, formatSize, formatTable } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { realDataDirectory } from "@soar/restore";
import {
  discardKept,
  listKeptData,
  requireDiscardable,
  whyNotDiscardable,
  type KeptData,
} from "@soar/restore/in-place";

export const discardOld = defineCommand({
  name: "discard-old",
  summary: "Remove what restores in place have kept of the old data, for good.",
  description:
    "Lists the old data directories and the WAL that restores of a data directory have kept, and removes them after a question. Refuses as long as the restored server does not run and take writes, and for directories that no restore kept.",
  positionals: { directories: { optional: true, many: true, help: "Only these of the kept directories." } },
  options: {
    ...confirmOptions,
    "data-dir": {
      env: "PGDATA",
      type: "string",
      required: true,
      group: "Restore",
      placeholder: "DIR",
      help: "Data directory that was restored.",
    },
    "dry-run": { type: "boolean", default: false, group: "Restore", help: "List what is kept and stop." },
  },
  examples: [
    {
      command: "soar-restore discard-old --data-dir /var/lib/postgresql/15/main",
      explanation: "when the restored data has been looked at",
    },
  ],
  async run({ config, positionals, log, output, confirm }) {
    const dataDir = await realDataDirectory(resolve(config.dataDir));
    const kept = await chosen(await listKeptData(dataDir), positionals.directories ?? [], dataDir);
    if (kept.length === 0)
      return output.report({ json: { version: 1, dataDir, kept }, text: () => `Nothing is kept of ${dataDir}.` });
    if (config.dryRun) {
      const obstacle = await whyNotDiscardable(dataDir, kept);
      return output.report({
        json: { version: 1, dataDir, kept, obstacle: obstacle?.message },
        text: () => [listText(kept), ...obstacleText(obstacle)].join("\n"),
      });
    }
    await requireDiscardable(dataDir, kept);
    const sum = formatSize(kept.reduce((total, { bytes }) => total + bytes, 0));
    await confirm({
      plan: `${listText(kept)}\nThis is removed for good, with every commit that is only there.`,
      question: `Remove ${kept.length === 1 ? "it" : `these ${kept.length}`}, ${sum}`,
      yes: config.yes,
      phrase: "discard",
    });
    for (const one of kept) {
      await discardKept(one);
      log.info(`removed ${[one.path, ...one.outside].join(", ")}`);
    }
    output.report({ json: { version: 1, dataDir, removed: kept }, text: () => `Removed ${sum}.` });
  },
});

/** What a run without --dry-run would end with. */
function obstacleText(obstacle: SoarError | undefined): string[] {
  return obstacle === undefined ? [] : [`Not removed as things are: ${obstacle.message}`, obstacle.hint ?? ""];
}

/** Throws `DIRECTORY_FOREIGN` for one that is not there, or that no restore of this data directory kept. */
async function chosen(kept: readonly KeptData[], names: readonly string[], dataDir: string): Promise<KeptData[]> {
  if (names.length === 0) return [...kept];
  const found: KeptData[] = [];
  for (const name of names) {
    const one = kept.find(({ path }) => path === resolve(name));
    if (one === undefined) throw notKept(name, dataDir, await isThere(resolve(name)));
    found.push(one);
  }
  return found;
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function notKept(name: string, dataDir: string, isThereNow: boolean): SoarError {
  const fact = isThereNow ? `no restore of '${dataDir}' kept it` : "nothing is there";
  return new SoarError("DIRECTORY_FOREIGN", `unable to discard '${name}': ${fact}`, {
    hint: "Without a directory, the command lists those that it may remove. Nothing was removed.",
  });
}

function listText(kept: readonly KeptData[]): string {
  return formatTable(
    [{ header: "KEPT" }, { header: "SIZE", align: "right" }, { header: "DIRECTORY" }],
    kept.flatMap(({ path, kind, bytes, outside, gone }) => [
      [kind === "cluster" ? "data directory" : "WAL", formatSize(bytes), path],
      ...outside.map((directory) => ["  and", "", directory]),
      ...gone.map((directory) => ["  not there", "", directory]),
    ]),
    { width: Infinity },
  );
}
