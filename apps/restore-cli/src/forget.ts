import { resolve } from "node:path";
import { confirmOptions, defineCommand } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { realDataDirectory } from "@soar/restore";
import { findForgettable, forgetRestore, type OpenedRestore } from "@soar/restore/in-place";

export const forget = defineCommand({
  name: "forget",
  summary: "End an interrupted restore whose recovery is over, so that the next one begins anew.",
  description:
    "A restore that was interrupted when recovery was over, before or behind the start of its server, is finished by the same command, which leaves the data of that server alone, whatever it is told. This gives it up instead: server and data stay as they are, and nothing that was kept is removed. Afterwards every restore there is a new one, which puts the data aside or overwrites it, with all that clients have written, and WAL that was not stored yet stays in no repository.",
  options: {
    ...confirmOptions,
    "data-dir": {
      env: "PGDATA",
      type: "string",
      required: true,
      group: "Restore",
      placeholder: "DIR",
      help: "Data directory that was restored, or one that a restore kept.",
    },
  },
  examples: [
    {
      command: "soar-restore forget --data-dir /var/lib/postgresql/15/main",
      explanation: "before a restore to the same target once more",
    },
  ],
  async run({ config, log, output, confirm }) {
    const dataDir = await realDataDirectory(resolve(config.dataDir));
    const found = await findForgettable(dataDir);
    if (found === undefined)
      throw new SoarError(
        "USAGE",
        `unable to forget a restore of '${dataDir}': none was interrupted there behind its recovery`,
        {
          hint: "Any other restore begins by itself where that is safe; soar-restore status shows what is there. Nothing was changed.",
        },
      );
    await confirm({ plan: forgetText(dataDir, found), question: "Forget it", yes: config.yes, phrase: "forget" });
    await forgetRestore(dataDir);
    log.info(`forgot the restore of ${dataDir} to ${found.target}`);
    output.report({
      json: { version: 1, dataDir, target: found.target, waiting: found.waiting?.map(({ file }) => file) },
      text: () => "Forgotten. The next restore there is a new one.",
    });
  },
});

/** What is lost by it. */
function forgetText(dataDir: string, { target, waiting }: OpenedRestore): string {
  const lines = [
    `The restore of ${dataDir} to ${target} ends here. The next restore there puts its data aside or overwrites it, with every commit since.`,
  ];
  const [first] = waiting ?? [];
  if (waiting === undefined)
    lines.push(
      "Which WAL it had still to store cannot be read: it stays in no repository, and discard-old removes the only copy.",
    );
  else if (first !== undefined)
    lines.push(
      `Up to ${waiting.length} WAL files are in no repository yet and stay so: ${first.file} to ${waiting.at(-1)?.name}. Without them nothing between the newest base backup before them and the next one behind them can be restored, and discard-old removes the only copy.`,
    );
  return lines.join("\n");
}
