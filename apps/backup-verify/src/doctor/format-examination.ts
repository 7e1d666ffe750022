import { wrapText } from "@soar/app-kit";
import type { Examination } from "@soar/verify";

const MARKS: Readonly<Record<Examination["severity"], string>> = {
  ok: "ok",
  notice: "note",
  warning: "WARN",
  error: "ERROR",
};
const LEFT = 7;
/** Short lines are read faster under stress. */
const WIDEST = 80;

/** By area, in the order in which they were looked at; what to do stands below what was seen. */
export function formatExamination(examinations: readonly Examination[], width: number): string[] {
  const lines: string[] = [];
  let area: string | undefined;
  for (const one of examinations) {
    if (one.area !== area) lines.push(...(area === undefined ? [] : [""]), one.area.toUpperCase());
    area = one.area;
    lines.push(...entry(MARKS[one.severity], one.what, width));
    if (one.advice !== undefined) lines.push(...entry("", `-> ${one.advice}`, width));
  }
  return lines;
}

export function summarize(examinations: readonly Examination[]): string {
  const count = (severity: Examination["severity"]): number =>
    examinations.filter((one) => one.severity === severity).length;
  const [errors, warnings, notices] = [count("error"), count("warning"), count("notice")];
  if (errors + warnings === 0)
    return `${examinations.length} things were looked at: all is well${notices === 0 ? "" : `, with ${notices} notes`}.`;
  return `${examinations.length} things were looked at: ${errors} errors, ${warnings} warnings, ${notices} notes.`;
}

function entry(mark: string, text: string, width: number): string[] {
  const indent = " ".repeat(LEFT);
  return wrapText(text, Math.max(40, Math.min(width, WIDEST) - LEFT)).map(
    (line, index) => (index === 0 ? mark.padEnd(LEFT) : indent) + line,
  );
}
