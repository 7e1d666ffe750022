import { readTextIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { formatReportPage, parseSealedReport, type DrillReport } from "@soar/verify";

interface CheckedReport {
  readonly json: unknown;
  readonly text: () => string;
}

/** Proves that a report has the digest that it names, and that the page beside it is this report's. */
export async function checkReport(path: string): Promise<CheckedReport> {
  const jsonPath = path.replace(/\.html$/, ".json");
  const report = parseSealedReport(await read(jsonPath), jsonPath);
  const page = await checkPage(jsonPath.replace(/\.json$/, ".html"), report);
  const words = { unchanged: "the page beside it shows the same", absent: "there is no page beside it" };
  return {
    json: {
      version: 1,
      report: jsonPath,
      digest: report.digest,
      page,
      outcome: report.outcome,
      startedAt: report.startedAt,
    },
    text: () =>
      `unchanged: the drill of ${report.startedAt} ${report.outcome}; ${words[page]}\ndigest ${report.digest}`,
  };
}

async function checkPage(path: string, report: DrillReport): Promise<"unchanged" | "absent"> {
  const page = await readTextIfPresent(path);
  if (page === undefined) return "absent";
  if (page === formatReportPage(report)) return "unchanged";
  const isOther = !page.includes(report.digest);
  throw new SoarError(
    "FINDINGS",
    isOther
      ? `the page '${path}' is that of another report`
      : `the page '${path}' is not what its report gives: it was edited, or written by another version of this program`,
    {
      hint: "The .json file beside it is the report; read that.",
    },
  );
}

async function read(path: string): Promise<string> {
  const text = await readTextIfPresent(path);
  if (text === undefined)
    throw new SoarError("FILE_UNREADABLE", `unable to read '${path}': there is no such file`, {
      hint: "Name the .json file that soar-backup-verify drill wrote.",
    });
  return text;
}
