import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "@soar/app-kit";
import { createPositionHistory } from "@soar/archive/server-wal";
import { openStatistics, readArchiverStatus } from "@soar/archive/status";
import { expect, onTestFinished, test } from "vitest";
import { parseExposition } from "@soar-tooling/test-bench";
import { saveStatistics } from "./save-statistics.ts";

/** Saves once, the metrics to this place below a new directory; gives the directory and what was warned of. */
async function saveOnce(place: string): Promise<{ directory: string; warnings: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), "soar-statistics-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const statistics = await openStatistics(join(directory, "spool"));
  const status = () =>
    readArchiverStatus({
      isResident: true,
      cluster: { systemIdentifier: "7", postgresMajor: 15, walSegmentSize: 2 ** 20 },
      queue: { state: { pending: [], archived: [] }, inFlight: 0 },
      statistics,
      history: createPositionHistory(),
      tailLsn: undefined,
      tailIntervalMs: undefined,
      walDirectory: undefined,
      repository: undefined,
      now: new Date(),
    });
  const warnings: string[] = [];
  const log = { warn: (line: string) => warnings.push(line) } as unknown as Log;
  const metricsFile = join(directory, place);
  await saveStatistics({ statistics, status, metricsFile, log, signal: AbortSignal.abort() });
  return { directory, warnings };
}

test("node_exporter may read the metrics, whatever the umask of the unit", async () => {
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  const { directory } = await saveOnce("soar-wal.prom");
  expect(statSync(join(directory, "soar-wal.prom")).mode & 0o777).toBe(0o644);
  const families = parseExposition(readFileSync(join(directory, "soar-wal.prom"), "utf8"));
  expect(families.get("backup_archiver_resident")?.samples.get("backup_archiver_resident")).toBe(1);
  expect(readdirSync(directory)).toEqual(["soar-wal.prom"]);
});

test("metrics that cannot be written are warned of, and end nothing", async () => {
  const { warnings } = await saveOnce("none/soar-wal.prom");
  expect(warnings).toEqual([
    expect.stringMatching(
      /^metrics are not up to date: unable to write '.*\/none\/soar-wal\.prom': there is no such file or directory/,
    ),
  ]);
});
