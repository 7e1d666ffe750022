import { stripVTControlCharacters } from "node:util";

/**
 * What vitest printed of a failure that is no test's: its own `ERROR:` lines, and the rows of its coverage table in which a branch was not
 * taken. They stand in the middle of a long output, of which a CI's page shows the end.
 */
export function whyVitestFailed(output: string): readonly string[] {
  return stripVTControlCharacters(output)
    .split("\n")
    .filter((line) => line.startsWith("ERROR:") || hasUntakenBranch(line))
    .map((line) => line.trim());
}

/** `file | % statements | % branches | % functions | % lines | lines` */
function hasUntakenBranch(line: string): boolean {
  const cells = line.split("|").map((cell) => cell.trim());
  return cells.length === 6 && cells.slice(1, 5).every((cell) => /^\d+(\.\d+)?$/.test(cell)) && cells[2] !== "100";
}
