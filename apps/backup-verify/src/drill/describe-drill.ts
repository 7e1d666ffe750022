import { formatDuration, formatSize, wrapText } from "@soar/app-kit";
import type { DrillCheck, DrillOutcome, DrillReport, KeptCluster } from "@soar/verify";
import type { ReportFiles } from "./store-report.ts";

const NAME = 12;

/** A screen of text: what was tested, how long it took, what failed, and where the report is. */
export function describeDrill(
  { report, kept }: DrillOutcome,
  { files, width }: { readonly files: ReportFiles; readonly width: number },
): string {
  const rows = [
    ...testedRows(report),
    ...timingRows(report),
    ...checkRows(report),
    ...(kept === undefined ? [] : keptRows(kept)),
    ["report", files.page],
    ["digest", report.digest],
  ] as const;
  return [
    `drill ${report.outcome}: ${report.target.description}`,
    "",
    ...rows.flatMap(([name, text]) => row(name, text, width)),
  ].join("\n");
}

type Row = readonly [string, string];

function testedRows({ tested, reached, scope, reason }: DrillReport): Row[] {
  return [
    ...(reason === undefined ? [] : [["reason", reason] as const]),
    ["restored", scope.kind === "cluster" ? "the whole cluster" : `database ${scope.database}`],
    ...(tested === undefined
      ? []
      : ([
          [
            "backup",
            `${tested.label} (${tested.kind}), ${formatDuration(tested.ageSeconds * 1000)} old, ${formatSize(tested.databaseBytes)}`,
          ],
          [
            "WAL",
            `${tested.walFirst} to ${tested.walLast} (${tested.walSegments} segments), timeline ${tested.timeline}`,
          ],
        ] as const)),
    ...(reached === undefined
      ? []
      : [
          [
            "reached",
            `${reached.lsn ?? "the target"}, newest commit ${reached.newestCommit ?? "none behind the backup"}`,
          ] as const,
        ]),
  ];
}

function timingRows({
  timings: { downloadMs, extractMs, replayMs, restoreMs, checksMs, totalMs },
  rto,
  rpo,
}: DrillReport): Row[] {
  const part = (name: string, ms: number | undefined): string[] =>
    ms === undefined ? [] : [`${name} ${formatDuration(ms)}`];
  return [
    [
      "took",
      [
        ...part("download", downloadMs),
        ...part("extract", extractMs),
        ...part("replay", replayMs),
        ...part("restore", restoreMs),
        ...part("checks", checksMs),
        ...part("total", totalMs),
      ].join(", "),
    ],
    [
      "RTO",
      rto === undefined
        ? "not measured"
        : `${formatDuration(rto.seconds * 1000)} for ${rto.of === "cluster" ? "the whole cluster" : "this database"}`,
    ],
    ["RPO", rpo === undefined ? "not measured" : `${formatDuration(rpo.seconds * 1000)}: ${rpo.basis}`],
  ];
}

/** What passed is named, what did not is told. */
function checkRows({ checks, issues }: DrillReport): Row[] {
  const passed = checks.filter(({ outcome }) => outcome === "passed");
  const others = checks.filter(({ outcome }) => outcome !== "passed");
  const told = new Set(checks.map(({ name, detail }) => `${name}: ${detail}`));
  return [
    ...(passed.length === 0 ? [] : [["passed", passed.map(({ name }) => name).join(", ")] as const]),
    ...others.flatMap(tellCheck),
    ...issues.filter((issue) => !told.has(issue)).map((issue) => ["issue", issue] as const),
  ];
}

function tellCheck({ name, outcome, detail, query }: DrillCheck): Row[] {
  const rows: Row[] = [[outcome, `${name}: ${detail}`]];
  return query === undefined
    ? rows
    : [
        ...rows,
        ["  query", query.sql.replaceAll(/\s+/g, " ")],
        ["  expected", query.expected],
        ["  found", query.found],
      ];
}

function keptRows({ directory, dataDir, binDir, socketDir, port, user }: KeptCluster): Row[] {
  return [
    ["kept", `${binDir}/psql -h ${socketDir} -p ${port} -U ${user} -l`],
    ["remove", `${binDir}/pg_ctl -D ${dataDir} stop -m immediate && rm -r ${directory}`],
    ["", "Both as the user that runs the server, or the second line's rm as root."],
  ];
}

/** Commands and paths are never broken: somebody will copy them. */
function row(name: string, text: string, width: number): string[] {
  const isCopied = name === "kept" || name === "remove" || name === "report";
  const lines = isCopied ? [text] : wrapText(text, width - NAME);
  return lines.map((line, at) => `${(at === 0 ? name : "").padEnd(NAME)}${line}`.trimEnd());
}
