import { visibleLine } from "./visible.ts";

export interface TableColumn {
  readonly header: string;
  /** Numbers and sizes to the right. */
  readonly align?: "left" | "right";
  /** May be cut with an ellipsis when the table is wider than the terminal. */
  readonly canShrink?: boolean;
}

/** Rows under headers, two blanks between columns, no wider than `width` as far as columns may shrink. */
export function formatTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  options: { readonly width?: number } = {},
): string {
  const shown = rows.map((row) => row.map(visibleLine));
  const natural = columns.map((column, index) =>
    Math.max(widthOf(column.header), ...shown.map((row) => widthOf(row[index] ?? ""))),
  );
  const widths = shrink(columns, natural, options.width ?? Infinity);
  const format = (cells: readonly string[]): string =>
    columns
      .map((column, index) => fit(cells[index] ?? "", { width: widths[index] ?? 0, align: column.align ?? "left" }))
      .join("  ")
      .trimEnd();
  return [columns.map(({ header }) => header), ...shown].map(format).join("\n");
}

/** Breaks text into lines of at most `width` characters at blanks; longer words stay whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return line === "" ? lines : [...lines, line];
}

/** Takes what is too much from the widest column that may shrink, one character at a time. */
function shrink(columns: readonly TableColumn[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, value) => sum + value, 0) + 2 * (columns.length - 1);
  while (total() > width) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      if (column.canShrink === true && (widths[index] ?? 0) > 8 && (widths[index] ?? 0) > (widths[widest] ?? 0))
        widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function fit(cell: string, { width, align }: { readonly width: number; readonly align: "left" | "right" }): string {
  const text =
    widthOf(cell) > width
      ? `${Array.from(cell)
          .slice(0, width - 1)
          .join("")}…`
      : cell;
  const padding = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? padding + text : text + padding;
}

function widthOf(text: string): number {
  return Array.from(text).length;
}
