import { resolve } from "node:path";
import { confirmOptions, defineCommand } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { adoptClone, isFenced, realDataDirectory } from "@soar/restore";

export const adopt = defineCommand({
  name: "adopt",
  summary: "Let a restored copy act for itself, in the place of the cluster that it comes from.",
  description:
    "A restore to another place or on another host makes a copy that acts on nobody: it cannot archive into the repository that it came from, and starts no subscriptions and no workers of libraries. This takes that fence away, on purpose: from its next start on, the copy acts as its own settings say.",
  options: {
    ...confirmOptions,
    "data-dir": {
      env: "PGDATA",
      type: "string",
      required: true,
      group: "Restore",
      placeholder: "DIR",
      help: "Data directory of the copy.",
    },
  },
  examples: [
    {
      command: "soar-restore adopt --data-dir /var/lib/postgresql/15/main",
      explanation: "after a restore on a new host, when the old one is gone for good",
    },
  ],
  async run({ config, log, output, confirm }) {
    const dataDir = await realDataDirectory(resolve(config.dataDir));
    if (!(await isFenced(dataDir)))
      throw new SoarError("USAGE", `unable to adopt '${dataDir}': it is no copy that a restore has fenced`, {
        hint: "Nothing keeps it from archiving but its own settings: SHOW archive_mode; SHOW archive_command.",
      });
    await confirm({
      plan: `${dataDir} will archive, subscribe and run jobs as its settings say. If it archives into the repository of the cluster that it comes from, that cluster must not run any more, nor ever again: two servers that archive under one name damage the window in which anything can be restored.`,
      question: "Adopt it",
      yes: config.yes,
      phrase: "adopt",
    });
    await adoptClone(dataDir);
    log.info(`adopted ${dataDir}`);
    output.report({
      json: { version: 1, dataDir },
      text: () => "Adopted. Restart its server, then take a base backup at once: soar-base-backup",
    });
  },
});
