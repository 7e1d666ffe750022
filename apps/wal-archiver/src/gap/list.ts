import { defineCommand, formatTable, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { listGaps, type GapRecord } from "@soar/repository/markers";

/** What was given up. */
export const gapList = defineCommand({
  name: "gap list",
  summary: "List the WAL that was given up.",
  description:
    "Declared gaps of the repository. soar-base-backup list shows them within the restorable window, with holes that nobody declared.",
  options: storageOptions,
  examples: [{ command: "soar-wal-archive gap list --json", explanation: "for a program" }],
  logFile: "none",
  async run({ config, log, output, signal, envFile }) {
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      const gaps = await listGaps(store, { signal });
      output.report({
        json: gaps,
        text: () =>
          gaps.length === 0
            ? `Nothing was given up in ${store.location}.`
            : formatTable(COLUMNS, gaps.map(rowOf), { width: output.width }),
      });
    } finally {
      await store.close();
    }
  },
});

const COLUMNS = [
  { header: "FROM" },
  { header: "TO" },
  { header: "DECLARED" },
  { header: "BY" },
  { header: "REASON", canShrink: true },
] as const;

function rowOf({ from, to, declaredAt, declaredBy, reason }: GapRecord): string[] {
  return [from, to, declaredAt.slice(0, 16).replace("T", " "), declaredBy, reason];
}
