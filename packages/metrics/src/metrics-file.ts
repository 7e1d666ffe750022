import { readTextIfPresent, replaceFile } from "@soar/durable-files";
import { METRICS_FILE_VARIABLES, type Writer } from "./metric-table.ts";
import { replaceSeries } from "./replace-series.ts";
import type { SampleOf } from "./sample.ts";

/**
 * Replaces a file for the textfile collector of node_exporter. It appears whole under its name, because the collector
 * may read at any moment, and everybody may read it. It need not survive a crash of the machine: it is written again
 * within seconds. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function writeMetricsFile(writer: Writer, path: string, text: string): Promise<void> {
  await replaceFile(path, text, { ...optionsFor(writer), sync: "none" });
}

/**
 * Puts samples in their place in such a file and keeps what it says of all others, as `replaceSeries` does. After a
 * crash of the machine it is the old file or the new one, because the next run may be a week away. Rejects with
 * `FILE_UNREADABLE`, `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function updateMetricsFile<W extends Writer>(
  writer: W,
  path: string,
  samples: readonly SampleOf<NoInfer<W>>[],
): Promise<void> {
  const before = (await readTextIfPresent(path)) ?? "";
  await replaceFile(path, replaceSeries(writer, before, samples), { ...optionsFor(writer), sync: "file" });
}

function optionsFor(writer: Writer): { readonly mode: number; readonly hint: string } {
  return {
    // The collector is another user; services run with a umask that would keep it out.
    mode: 0o644,
    hint: `Make the directory writable for this user, or set ${METRICS_FILE_VARIABLES[writer]} to another one.`,
  };
}
