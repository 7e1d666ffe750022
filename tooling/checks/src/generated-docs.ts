import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { formatPerformancePage, parseDocument } from "@soar-tooling/bench";
import { ERROR_CODES } from "@soar/errors";
import { ALERTS, METRICS, METRICS_FILE_VARIABLES } from "@soar/metrics";
import { describeApps } from "./generated-docs/describe-apps.ts";
import { formatConfigurationPage } from "./generated-docs/configuration-page.ts";
import { formatEnvExample } from "./generated-docs/env-example.ts";
import { formatErrorsPage } from "./generated-docs/errors-page.ts";
import { formatMetricsPage } from "./generated-docs/metrics-page.ts";
import { collectSettings } from "./generated-docs/settings.ts";

/**
 * Writes what is printed from tables (`--write`), or compares it with what is there and exits with 1 on a difference:
 * docs/configuration.md and docs/backup-env.example from the options of the binaries, docs/errors.md from the table of
 * errors, docs/metrics.md from those of metrics and alerts; docs/performance.md from what docs/performance.json says was measured.
 */
const root = fileURLToPath(new URL("../../..", import.meta.url));
const apps = await describeApps(root);
const settings = collectSettings(apps);
const pages = {
  "docs/configuration.md": formatConfigurationPage(apps, settings),
  "docs/backup-env.example": formatEnvExample(settings),
  "docs/errors.md": formatErrorsPage(ERROR_CODES),
  "docs/metrics.md": formatMetricsPage(
    { metrics: METRICS, fileVariables: METRICS_FILE_VARIABLES, alerts: ALERTS },
    settings.map(({ variable }) => variable),
  ),
  "docs/performance.md": formatPerformancePage(parseDocument(await readFile(`${root}docs/performance.json`, "utf8"))),
};

for (const [page, wanted] of Object.entries(pages)) {
  const present = await readIfPresent(root + page);
  if (present === wanted) continue;
  if (process.argv.includes("--write")) {
    await writeFile(root + page, wanted);
    process.stdout.write(`wrote ${page}\n`);
  } else {
    process.stderr.write(
      `error: ${page} ${present === undefined ? "does not exist" : "differs from the tables"}\nhint: Run: node --conditions=soar-source tooling/checks/src/generated-docs.ts --write\n`,
    );
    process.exitCode = 1;
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
