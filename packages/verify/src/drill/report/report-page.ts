import type { DrillCheck, DrillReport } from "./drill-report.ts";
import { html, Html } from "./html-text.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { days, duration, hours, instant, seconds, size } from "./report-words.ts";
import { drawTimingsPicture } from "./timings-picture.ts";
import { drawWindowPicture } from "./window-picture.ts";

/** The report as one page that needs nothing else: the same report gives the same page, byte for byte. */
export function formatReportPage(report: DrillReport): string {
  const { outcome, reason, startedAt, host, target, scope } = report;
  const what = scope.kind === "cluster" ? "the whole cluster" : `database ${scope.database}`;
  const title = `Restore drill ${outcome}, ${instant(startedAt).slice(0, 10)}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="soar-drill-digest" content="${report.digest}">
<title>${title}</title>
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header class="verdict ${outcome}">
<h1>Restore drill <strong>${outcome}</strong></h1>
${reason === undefined ? undefined : html`<p>${reason}</p>`}
<p class="quiet">${instant(startedAt)} on ${host}, ${what}, to ${target.description}</p>
</header>
${cards(report)}
<h2>Window</h2>
${drawWindowPicture(report)}
<h2>Timings</h2>
${drawTimingsPicture(report)}
<h2>Result</h2>
<dl class="facts">${facts(report).map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
<h2>Checks</h2>
${report.checks.length === 0 ? html`<p class="quiet">The drill ended before anything could be checked.</p>` : html`<ul class="checks">${report.checks.map(checkItem)}</ul>`}
<footer>
<h2>Digest</h2>
<p><code>${report.digest}</code></p>
<p class="quiet">SHA-256 of the report beside this page. soar-backup-verify drill --check REPORT.json proves that neither was edited since.</p>
</footer>
</main>
</body>
</html>
`.text;
}

const INTEGRITY: Readonly<Record<DrillReport["integrity"], string>> = {
  pass: "✓ Pass",
  fail: "✗ Fail",
  unread: "? Tables were not read: neither pg_amcheck nor page checksums",
};

function cards({ rto, rpo, tested, integrity }: DrillReport): Html {
  const card = (name: string, text: string): Html => html`<div><dt>${name}</dt><dd>${text}</dd></div>`;
  return html`<dl class="cards">${[
    card("RTO", rto === undefined ? "not measured" : duration(rto.seconds)),
    card("RPO", rpo === undefined ? "not measured" : duration(rpo.seconds)),
    card("Backup age", tested === undefined ? "no backup" : duration(tested.ageSeconds)),
    card("Data integrity", integrity === "unread" ? "not read" : integrity),
  ]}</dl>`;
}

/** Every field that the two lists of results for restore tests ask for. */
function facts({
  startedAt,
  endedAt,
  host,
  tool,
  repository,
  tested,
  reached,
  timings,
  transferred,
  integrity,
  queries,
  issues,
  rto,
  rpo,
}: DrillReport): (readonly [string, string])[] {
  const lasted =
    timings.restoreMs === undefined
      ? "not completed"
      : `${seconds(timings.restoreMs)} (${hours(timings.restoreMs / 1000)})`;
  return [
    ["Date of test", `${instant(startedAt)} to ${instant(endedAt)}, by ${tool} on ${host}`],
    ["Repository", `${repository.location}, cluster ${repository.systemIdentifier}`],
    [
      "Backup tested",
      tested === undefined
        ? "none"
        : `${tested.label} (${tested.kind}), ended ${instant(tested.endedAt)}, ${size(tested.databaseBytes)} of files, ${size(tested.storedBytes)} stored`,
    ],
    [
      "WAL range tested",
      tested === undefined
        ? "none"
        : `${tested.walFirst} to ${tested.walLast}: ${tested.walSegments} segments on timeline ${tested.timeline}`,
    ],
    ["Backup age", tested === undefined ? "-" : days(tested.ageSeconds)],
    [
      "State reached",
      reached === undefined
        ? "not reached"
        : `${reached.lsn ?? "the target"}, planned ${reached.plannedLsn}; newest commit ${reached.newestCommit ?? "none behind the backup"}${reached.firstLeftOut === undefined ? "" : `, first one left out ${reached.firstLeftOut}`}`,
    ],
    ["Restore duration", lasted],
    ["Downloaded", `${size(transferred.backupBytes)} of backup, ${size(transferred.walBytes)} of WAL`],
    ["Total", seconds(timings.totalMs)],
    ["Data integrity", INTEGRITY[integrity]],
    ["Verification queries", `${queries.passed} passed, ${queries.failed} failed`],
    ["Issues encountered", issues.length === 0 ? "none" : issues.join("; ")],
    [
      "RTO estimate",
      rto === undefined
        ? "not measured"
        : `${hours(rto.seconds)} (${duration(rto.seconds)}) for ${rto.of === "cluster" ? "the whole cluster" : "this database"}`,
    ],
    ["RPO verified", rpo === undefined ? "not measured" : `${rpo.seconds} seconds: ${rpo.basis}`],
  ];
}

function checkItem({ name, outcome, detail, durationMs, query, output }: DrillCheck): Html {
  const asked =
    query === undefined
      ? undefined
      : html`<pre>${query.sql}

database  ${query.database}
expected  ${query.expected}
found     ${query.found}</pre>`;
  const printed =
    output === undefined || output === ""
      ? undefined
      : html`<details><summary class="quiet">what it printed</summary><pre>${output}</pre></details>`;
  return html`<li><span class="mark ${outcome}">${outcome}</span><b>${name}</b>: ${detail} <span class="quiet">(${seconds(durationMs)})</span>${asked}${printed}</li>`;
}
