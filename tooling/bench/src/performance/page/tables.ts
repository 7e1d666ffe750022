import { TOOLS, WORKS, type PerformanceDocument, type Row, type ToolName } from "../document.ts";
import {
  findRow,
  limitsOf,
  measuredSizes,
  megabytes,
  NOT_MEASURED,
  partsInTurn,
  percent,
  rate,
  ratio,
  seconds,
  size,
  speed,
  storedRatio,
  table,
  TOOL_TITLES,
  WORK_TITLES,
} from "./figures.ts";

const optional = (value: number | undefined, show: (value: number) => string): string =>
  value === undefined || value === 0 ? "-" : show(value);

/** Each work of Soar beside what the machine gives to its parts alone. */
export function ratesBesideLimits(document: PerformanceDocument): string {
  const rows = sizesOfWorks(document).map(({ work, gigabytes }) => {
    const name = [WORK_TITLES[work], gigabytes === 0 ? "" : `, ${size(gigabytes)}`].join("");
    const row = findRow(document, { work, tool: "soar", gigabytes });
    if (row === undefined) return [name, NOT_MEASURED, "", "", "", "", ""];
    const limits = limitsOf(document, row, storedRatio(document, gigabytes));
    const inTurn = partsInTurn(document, row, storedRatio(document, gigabytes));
    return [
      name,
      rate(row),
      `${seconds(row.seconds)} (${seconds(row.fastest)} to ${seconds(row.slowest)})`,
      optional(row.stored, megabytes),
      optional(row.peak, megabytes),
      optional(inTurn, (taken) => `${seconds(taken)}: ${percent(taken, row.seconds)}`),
      limits.length === 0
        ? "-"
        : limits.map(({ title, rate: cap, reached }) => `${title} ${cap}: ${percent(reached, 1)}`).join("; "),
    ];
  });
  return table(
    [
      "Work",
      "Rate",
      "Time (fastest to slowest)",
      "Stored",
      "Memory",
      "Its parts in turn, and how much of that is reached",
      "Alone, and how much of it is reached",
    ],
    rows,
  );
}

type Place = Pick<Row, "work" | "gigabytes">;

/** Every work at every size at which anything of it was measured, or once without a size. */
function sizesOfWorks(document: PerformanceDocument): Place[] {
  return WORKS.flatMap((work): Place[] => {
    const sizes = [...new Set(document.rows.filter((row) => row.work === work).map(({ gigabytes }) => gigabytes))];
    return (sizes.length === 0 ? [0] : sizes.sort((a, b) => a - b)).map((gigabytes) => ({ work, gigabytes }));
  });
}

/** Soar beside the others: the ratio of rates, above 1 where Soar is faster. */
export function besideOthers(document: PerformanceDocument): string {
  const peers = TOOLS.filter((name) => name !== "soar" && typeof document.tools[name] === "string");
  if (peers.length === 0) return `No other tool was measured.\n\n${absentTools(document)}`.trim();
  const rows = sizesOfWorks(document).flatMap(({ work, gigabytes }) => {
    const ours = findRow(document, { work, tool: "soar", gigabytes });
    return peers.flatMap((tool) => {
      const theirs = findRow(document, { work, tool, gigabytes });
      if (theirs === undefined) return [];
      const name = gigabytes === 0 ? WORK_TITLES[work] : `${WORK_TITLES[work]}, ${size(gigabytes)}`;
      return [
        [
          name,
          TOOL_TITLES[tool],
          ours === undefined ? NOT_MEASURED : rate(ours),
          rate(theirs),
          ...ratios(ours, theirs),
        ],
      ];
    });
  });
  return [
    table(["Work", "Beside", "Soar", "Other", "Ratio", "Stored", "Memory, Soar and other"], rows),
    absentTools(document),
  ]
    .filter((text) => text !== "")
    .join("\n\n");
}

function ratios(ours: Row | undefined, theirs: Row): string[] {
  if (ours === undefined) return ["-", "-", "-"];
  const hasStored = ours.stored !== undefined && theirs.stored !== undefined && ours.stored > 0 && theirs.stored > 0;
  return [
    ratio(speed(ours) / speed(theirs)),
    hasStored ? ratio((ours.stored ?? 0) / (theirs.stored ?? 1)) : "-",
    `${optional(ours.peak, megabytes)}, ${optional(theirs.peak, megabytes)}`,
  ];
}

/** One line for each tool that was looked for and not found, or not asked for. */
function absentTools({ tools }: PerformanceDocument): string {
  const say = (name: ToolName): string[] => {
    if (typeof tools[name] === "string") return [];
    return [
      `${TOOL_TITLES[name]}: ${tools[name] === null ? "not installed, not measured" : "not asked for, not measured"}.`,
    ];
  };
  return TOOLS.flatMap(say).join("\n");
}

/** How the cost grows: what was measured, column by column. */
export function growthMeasured(document: PerformanceDocument): string {
  const sizes = measuredSizes(document);
  if (sizes.length === 0) return `No size was measured: ${NOT_MEASURED}.`;
  const of = (work: Row["work"], show: (row: Row) => string): string[] =>
    sizes.map((gigabytes) => {
      const row = findRow(document, { work, tool: "soar", gigabytes });
      return row === undefined ? NOT_MEASURED : show(row);
    });
  const lines: [string, string[]][] = [
    ["Full backup, time", of("full-zstd", (row) => seconds(row.seconds))],
    ["Full backup, memory", of("full-zstd", (row) => optional(row.peak, megabytes))],
    ["Full backup, stored", of("full-zstd", (row) => optional(row.stored, megabytes))],
    ["Full backup, parts", of("full-zstd", (row) => String(row.parts ?? "-"))],
    ["Full backup, requests", of("full-zstd", (row) => String(row.requests ?? "-"))],
    ["Incremental, time", of("incremental", (row) => seconds(row.seconds))],
    ["Incremental, memory", of("incremental", (row) => optional(row.peak, megabytes))],
    ["Restore, time", of("restore", (row) => seconds(row.seconds))],
    ["Restore, memory", of("restore", (row) => optional(row.peak, megabytes))],
    ["Restore, requests", of("restore", (row) => String(row.requests ?? "-"))],
  ];
  return table(
    ["", ...sizes.map((gigabytes) => `${size(gigabytes)}, measured`)],
    lines.map(([name, cells]) => [name, ...cells]),
  );
}
