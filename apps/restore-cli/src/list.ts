import { defineCommand, formatSize, formatTable, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { listBackupDirectories, requireRepositoryRecord } from "@soar/repository";

export const list = defineCommand({
  name: "list",
  summary: "List the base backups that a restore can begin with.",
  options: { ...storageOptions },
  logFile: "none",
  async run({ config, log, output, signal, envFile }) {
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      await requireRepositoryRecord(store, { signal });
      const records = (await listBackupDirectories(store, { signal })).flatMap(({ record }) =>
        record === undefined ? [] : [record],
      );
      output.report({
        json: records,
        text: () =>
          records.length === 0
            ? `There is no complete backup in ${store.location}.`
            : formatTable(
                [
                  { header: "LABEL" },
                  { header: "CONSISTENT FROM" },
                  { header: "LSN" },
                  { header: "SIZE", align: "right" },
                  { header: "DOWNLOAD", align: "right" },
                  { header: "TL", align: "right" },
                ],
                records.map(({ label, stoppedAt, stopLsn, sizes, timeline }) => [
                  label,
                  `${stoppedAt.slice(0, 19)}Z`,
                  stopLsn,
                  formatSize(sizes.database),
                  formatSize(sizes.stored),
                  String(timeline),
                ]),
                { width: output.width },
              ),
      });
    } finally {
      await store.close();
    }
  },
});
