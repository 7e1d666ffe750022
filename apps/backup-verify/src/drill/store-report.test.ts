import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { KEPT_REPORTS, removeOldReports } from "./store-report.ts";

test("of the reports in the state directory the newest stay, both files of each, and whatever else lies there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-reports-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const names = Array.from({ length: KEPT_REPORTS + 3 }, (_, day) => {
    const stamp = new Date(Date.UTC(2025, 0, 1 + day)).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    return `drill-${stamp}`;
  });
  for (const name of names) for (const kind of ["html", "json"]) writeFileSync(join(directory, `${name}.${kind}`), "");
  for (const name of ["drill-mine.html", "seed"]) writeFileSync(join(directory, name), "");
  await removeOldReports(directory);
  const left = readdirSync(directory);
  expect(left).toHaveLength(2 * KEPT_REPORTS + 2);
  expect(left).toEqual(expect.arrayContaining(["drill-mine.html", "seed", `${names.at(-1)}.html`, `${names[3]}.json`]));
  expect(left).not.toContain(`${names[2]}.json`);
  await removeOldReports(directory);
  expect(readdirSync(directory)).toHaveLength(left.length);
});
