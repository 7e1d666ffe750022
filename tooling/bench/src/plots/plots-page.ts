import type { PerformanceDocument } from "../performance/document.ts";
import { chartGroups, type ChartGroup } from "./charts.ts";

/** Pixels across: one for a telephone, one for everything else. The page shows the one that fits. */
const WIDTHS = { narrow: 350, wide: 560 } as const;

const STYLE = `
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; margin: 0 auto; padding: 16px 20px 48px; max-width: 1200px; }
h1 { font-size: 26px; margin: 8px 0; }
h2 { font-size: 19px; margin: 36px 0 4px; border-bottom: 1px solid #d5dae1; }
h3 { font-size: 14px; margin: 14px 0 2px; font-weight: 600; }
p { margin: 6px 0; max-width: 76ch; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 4px 20px; }
figure { margin: 0; }
svg { max-width: 100%; height: auto; }
.narrow { display: none; }
@media (max-width: 639px) { .charts { grid-template-columns: 1fr; } .wide { display: none; } .narrow { display: block; } }
`;

/** A page of its own that asks nobody for anything: charts as SVG, and what they were measured with. */
export function formatPlotsPage(document: PerformanceDocument): string {
  const { at, commit, machine, cores, postgres, loadBefore, loadAfter } = document.measured;
  const about = `Measured ${at.slice(0, 10)} at commit ${commit}: ${cores} x ${machine}, PostgreSQL ${postgres}; load ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after.`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Soar: performance</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Soar: performance</h1>
<p>${escape(about)}</p>
${chartGroups(document).map(section).join("\n")}
</body>
</html>
`;
}

function section({ title, charts }: ChartGroup): string {
  const figures = charts.map(
    (chart) =>
      `<figure><h3>${escape(chart.title)}</h3>${Object.entries(WIDTHS)
        .map(([name, width]) => `<div class="${name}">${chart.draw(width)}</div>`)
        .join("")}</figure>`,
  );
  return `<h2>${escape(title)}</h2>\n<div class="charts">\n${figures.join("\n")}\n</div>`;
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
