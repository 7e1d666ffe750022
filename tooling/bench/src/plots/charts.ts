import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { TOOLS, WORKS, type PerformanceDocument, type Row } from "../performance/document.ts";
import {
  limitsOf,
  measuredSizes,
  size,
  speed,
  storedRatio,
  TOOL_TITLES,
  WORK_TITLES,
} from "../performance/page/figures.ts";

/** Charts under one heading; `draw` gives an SVG of so many pixels across. */
export interface ChartGroup {
  readonly title: string;
  readonly charts: readonly { readonly title: string; readonly draw: (width: number) => string }[];
}

/** One colour for each tool, whatever chart it is in. */
const COLORS = {
  domain: TOOLS.map((tool) => TOOL_TITLES[tool]),
  range: ["#0b6e4f", "#c2571a", "#5b5fc7", "#a3388a", "#6b7280"],
};
const BAR = 24;

/** What the document holds figures of, and nothing else. */
export function chartGroups(document: PerformanceDocument): ChartGroup[] {
  const { rows } = document;
  const places = WORKS.flatMap((work) =>
    [0, ...measuredSizes(document)].map((gigabytes) =>
      rows.filter((row) => row.work === work && row.gigabytes === gigabytes),
    ),
  ).filter((found) => found.length > 0);
  const titled = (found: readonly Row[], unit: string): string => {
    const [{ work, gigabytes } = { work: "full-zstd", gigabytes: 0 } as const] = found;
    return `${WORK_TITLES[work]}${gigabytes === 0 ? "" : `, ${size(gigabytes)}`} (${unit})`;
  };
  const groups: ChartGroup[] = [
    {
      title: "Rates: longer is better",
      charts: places.map((found) => {
        const [unit, value] = unitOf(found[0]);
        return {
          title: titled(found, unit),
          draw: (width) =>
            bars(
              found.map((row) => bar(row, value(row))),
              width,
            ),
        };
      }),
    },
    {
      title: "Memory: shorter is better",
      charts: places
        .map((found) => found.filter(({ peak = 0 }) => peak > 0))
        .filter((found) => found.length > 0)
        .map((found) => ({
          title: titled(found, "MB"),
          draw: (width) =>
            bars(
              found.map((row) => bar(row, (row.peak ?? 0) / 1e6)),
              width,
            ),
        })),
    },
    { title: "How much of each limit Soar reaches", charts: limitCharts(document, places) },
    { title: "Seconds by size of the database", charts: growthCharts(document) },
  ];
  return groups.filter(({ charts }) => charts.length > 0);
}

/** A call is told in calls a second, so that longer is better here too. */
function unitOf(row: Row | undefined): [string, (row: Row) => number] {
  if (row?.work === "archive-call") return ["calls a second", speed];
  return row?.gigabytes === 0 ? ["segments a second", speed] : ["MB/s", (one) => speed(one) / 1e6];
}

interface Bar {
  readonly label: string;
  readonly value: number;
}

const bar = (row: Row, value: number): Bar => ({ label: TOOL_TITLES[row.tool], value });

function bars(data: readonly Bar[], width: number, color?: string): string {
  const longest = Math.max(...data.map(({ label }) => label.length));
  return svg({
    width,
    height: data.length * BAR + 36,
    marginLeft: Math.min(width / 2, 16 + longest * 6.5),
    marginRight: 48,
    marginTop: 4,
    x: { label: null, grid: true, ticks: Math.max(2, Math.round(width / 130)) },
    y: { label: null, domain: data.map(({ label }) => label), padding: 0.2 },
    color: COLORS,
    marks: [
      Plot.barX(data, { x: "value", y: "label", fill: color ?? "label" }),
      Plot.text(data, { x: "value", y: "label", text: ({ value }: Bar) => figure(value), textAnchor: "start", dx: 4 }),
      Plot.ruleX([0]),
    ],
  });
}

const figure = (value: number): string => value.toFixed(value < 20 ? 1 : 0);

function limitCharts(document: PerformanceDocument, places: readonly (readonly Row[])[]): ChartGroup["charts"] {
  return places.flatMap((found) => {
    const row = found.find(({ tool }) => tool === "soar");
    const limits = row === undefined ? [] : limitsOf(document, row, storedRatio(document, row.gigabytes));
    if (row === undefined || limits.length === 0) return [];
    const data = limits.map(({ title, reached }) => ({ label: title, value: 100 * reached }));
    const title = `${WORK_TITLES[row.work]}${row.gigabytes === 0 ? "" : `, ${size(row.gigabytes)}`} (per cent)`;
    return [{ title, draw: (width: number) => bars(data, width, "#3b6ea5") }];
  });
}

function growthCharts(document: PerformanceDocument): ChartGroup["charts"] {
  if (measuredSizes(document).length < 2) return [];
  return (["full-zstd", "incremental", "restore", "delta"] as const).flatMap((work) => {
    const data = document.rows
      .filter((row) => row.work === work)
      .map(({ tool, gigabytes, seconds }) => ({ tool: TOOL_TITLES[tool], gigabytes, seconds }));
    if (data.length === 0) return [];
    return [{ title: `${WORK_TITLES[work]} (seconds over GB)`, draw: (width: number) => lines(data, width) }];
  });
}

function lines(data: readonly { tool: string; gigabytes: number; seconds: number }[], width: number): string {
  const most = Math.max(...data.map(({ gigabytes }) => gigabytes));
  const place = { x: "gigabytes", y: "seconds" } as const;
  return svg({
    width,
    height: 240,
    marginRight: 92,
    x: { label: null, domain: [0, most], ticks: Math.max(2, Math.round(width / 130)) },
    y: { label: null, grid: true, zero: true },
    color: COLORS,
    marks: [
      Plot.line(data, { ...place, stroke: "tool" }),
      Plot.dot(data, { ...place, fill: "tool" }),
      Plot.text(
        data.filter(({ gigabytes }) => gigabytes === most),
        { ...place, text: "tool", fill: "tool", textAnchor: "start", dx: 7 },
      ),
    ],
  });
}

/** Drawn without a browser. The classes of Plot's own style sheet are made different by it, so that charts do not meet. */
function svg(options: Plot.PlotOptions): string {
  const { document } = parseHTML("<html><body></body></html>");
  return Plot.plot({ ...options, document, style: { background: "none", fontSize: "12px" } }).outerHTML;
}
