import { defineCommand } from "@soar/app-kit";
import { runDatabaseForm } from "./database-form.ts";
import { restoreInteractively } from "./interactive/restore-interactively.ts";
import { restoreOptions } from "./restore-options.ts";
import { runRestore } from "./run-restore.ts";

export const restore = defineCommand({
  name: "restore",
  isDefault: true,
  summary: "Restore the cluster to an instant.",
  description:
    "Fetches a base backup into the data directory, replays WAL exactly to the target, and ends when the server takes writes. In the place of the server that was backed up, that server is stopped and its data directory kept under another name. Before anything is touched it proves that the backup is complete, that no segment is missing and that the target can be reached.",
  options: restoreOptions,
  examples: [
    { command: "soar-restore --latest", explanation: "as much as the bucket and the old disk hold" },
    { command: "soar-restore --target-time '2025-01-10 14:25:00' --dry-run", explanation: "what it would do" },
    {
      command:
        "soar-restore --base-backup 2025-01-05 --target-time '2025-01-08 10:00:00' --data-dir /srv/copy --port 5433",
      explanation: "a copy beside the running server",
    },
    {
      command: "soar-restore --target-time '2025-01-10 14:25:00' --target-database soar_restore_test --no-destructive",
      explanation: "one database into the running server",
    },
  ],
  async run(context) {
    if (await restoreInteractively(context)) return;
    if (await runDatabaseForm(context)) return;
    await runRestore(context);
  },
});
