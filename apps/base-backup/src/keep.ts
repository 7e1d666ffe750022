import { defineCommand, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { keepBackup, unkeepBackup } from "@soar/backup";
import { requireBackupLabel } from "@soar/repository";

const positionals = { label: { help: "The backup, as soar-base-backup list names it." } } as const;

export const keep = defineCommand({
  name: "keep",
  summary: "Pin a backup: it never expires.",
  description: "The WAL that makes it consistent stays with it, so that it can always be restored as of its end.",
  positionals,
  options: {
    ...storageOptions,
    reason: {
      type: "string",
      group: "Backup",
      default: "pinned by the operator",
      help: "Why, for whoever reads the listing later.",
    },
  },
  examples: [
    { command: 'soar-base-backup keep 2025-01-05 --reason "before the migration"', explanation: "stays until unkeep" },
  ],
  async run({ config, positionals: { label }, output, log, signal, envFile }) {
    requireBackupLabel(label);
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      const isNew = await keepBackup(store, label, { reason: config.reason, now: new Date(), signal });
      output.report({
        json: { label, kept: true, changed: isNew },
        text: () => (isNew ? `${label} is pinned and never expires.` : `${label} was pinned already.`),
      });
    } finally {
      await store.close();
    }
  },
});

export const unkeep = defineCommand({
  name: "unkeep",
  summary: "Take the pin of a backup back: the next expiry decides about it.",
  positionals,
  options: { ...storageOptions },
  async run({ config, positionals: { label }, output, log, signal, envFile }) {
    requireBackupLabel(label);
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      const isChanged = await unkeepBackup(store, label, { signal });
      output.report({
        json: { label, kept: false, changed: isChanged },
        text: () => (isChanged ? `${label} is not pinned any more.` : `${label} was not pinned.`),
      });
    } finally {
      await store.close();
    }
  },
});
