import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CheckResult, formatResult } from "./check.ts";
import { runHouseChecks } from "./house-checks.ts";
import { runPackedChecks } from "./packed-checks.ts";
import { wantedGuards } from "./program-guards.ts";
import { formatPublicApi, readPublicApi, SNAPSHOT_PATH } from "./public-names.ts";
import { loadWorkspace, type Workspace } from "./workspace.ts";

/**
 * `pnpm check [house|packed] [--write]`: runs the checks and ends with the plain line `N passed, N failed`.
 * `--write` first records the public names as they are now, and writes the guards of programs from their template.
 */
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const GROUPS: Readonly<Record<string, (workspace: Workspace) => CheckResult[] | Promise<CheckResult[]>>> = {
  house: runHouseChecks,
  packed: runPackedChecks,
};

async function main(args: readonly string[]): Promise<number> {
  const [name = "house"] = args.filter((arg) => !arg.startsWith("--"));
  const group = GROUPS[name];
  if (group === undefined) {
    process.stderr.write(
      `error: '${name}' is no group of checks\nhint: The groups are ${Object.keys(GROUPS).join(", ")}.\n`,
    );
    return 64;
  }
  if (args.includes("--write")) await writeGenerated(await loadWorkspace(ROOT));
  const results = await group(await loadWorkspace(ROOT));
  const failed = results.filter(({ findings }) => findings.length > 0).length;
  process.stdout.write(`${results.map(formatResult).join("")}${results.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

async function writeGenerated(workspace: Workspace): Promise<void> {
  await writeFile(join(ROOT, SNAPSHOT_PATH), formatPublicApi(readPublicApi(workspace)));
  for (const [path, text] of wantedGuards(workspace)) await writeFile(join(ROOT, path), text);
}

process.exitCode = await main(process.argv.slice(2));
