import { dirname, join, resolve } from "node:path";
import { visibleJson } from "@soar/app-kit";
import { makeDirectory, namesIfPresent, removeFile, replaceFile } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { formatReportPage, type DrillReport } from "@soar/verify";
import type { DrillConfig } from "./drill-options.ts";

export interface ReportFiles {
  readonly page: string;
  readonly json: string;
}

export interface ReportPlace {
  /** Writes both files, each whole or not at all. */
  store(report: DrillReport): Promise<ReportFiles>;
}

/** It took hours, and says years later what was proved: a crash must not take it away. */
const EVIDENCE = { mode: 0o640, sync: "directory" } as const;

/** In the state directory, where nobody else clears up: of daily drills a year, of weekly ones seven. */
export const KEPT_REPORTS = 366;
const REPORT_NAME = /^drill-\d{8}T\d{6}Z\.(?:html|json)$/;

/** Finds out that reports can be written before hours of restoring. Rejects with `FILE_UNWRITABLE` or `USAGE`. */
export async function openReportPlace({
  report: wanted,
  stateDir,
}: Pick<DrillConfig, "report" | "stateDir">): Promise<ReportPlace> {
  if (wanted !== undefined && !wanted.endsWith(".html"))
    throw new SoarError("USAGE", `unable to write the report to '${wanted}': its name does not end in .html`, {
      hint: "Name the page, for example --report drill.html; drill.json is written beside it.",
    });
  const directory = wanted === undefined ? stateDir : dirname(resolve(wanted));
  await attempt(directory, async () => {
    if (wanted === undefined) await makeDirectory(directory, { ...EVIDENCE, mode: 0o750 });
    const probe = join(directory, `.soar-drill-${process.pid}`);
    await replaceFile(probe, "", { ...EVIDENCE, sync: "none" });
    await removeFile(probe, { sync: "none" });
  });
  return {
    async store(report) {
      const page =
        wanted === undefined
          ? join(directory, `drill-${report.startedAt.replaceAll(/[-:]|\.\d+/g, "")}.html`)
          : resolve(wanted);
      const files = { page, json: page.replace(/\.html$/, ".json") };
      await attempt(directory, async () => {
        await replaceFile(files.json, `${visibleJson(JSON.stringify(report, null, 2))}\n`, EVIDENCE);
        await replaceFile(files.page, formatReportPage(report), EVIDENCE);
        if (wanted === undefined) await removeOldReports(directory);
      });
      return files;
    },
  };
}

/** Leaves the newest `KEPT_REPORTS`, of which both files have one name. Rejects with `FILE_UNREADABLE` or `FILE_UNWRITABLE`. */
export async function removeOldReports(directory: string): Promise<void> {
  const found = ((await namesIfPresent(directory)) ?? []).filter((name) => REPORT_NAME.test(name));
  const reports = [...new Set(found.map((name) => name.replace(/\.\w+$/, "")))].sort();
  const old = new Set(reports.slice(0, -KEPT_REPORTS));
  for (const name of found.filter((one) => old.has(one.replace(/\.\w+$/, ""))))
    await removeFile(join(directory, name), { sync: "none" });
}

async function attempt(directory: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new SoarError("FILE_UNWRITABLE", `unable to keep the report in '${directory}': ${(cause as Error).message}`, {
      cause,
      hint: "Name another place with --report FILE.html, or another directory in BACKUP_DRILL_STATE_DIR.",
    });
  }
}
