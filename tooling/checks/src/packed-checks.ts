import type { CheckResult } from "./check.ts";
import { checkDeclarations } from "./packed-declarations.ts";
import { checkFiles } from "./packed-files.ts";
import { withPackedInstallation } from "./packed-installation.ts";
import { checkImports, checkPrograms } from "./packed-runs.ts";
import type { Workspace } from "./workspace.ts";

/** Checks of what users install, in one installation that is made and removed here. They need the build. */
export async function runPackedChecks(workspace: Workspace): Promise<CheckResult[]> {
  return await withPackedInstallation(workspace, async (installation) => [
    { name: "what is in the tarballs", findings: await checkFiles(installation) },
    { name: "imports of the installed libraries", findings: await checkImports(installation) },
    { name: "declarations of the installed libraries", findings: await checkDeclarations(installation) },
    { name: "the installed programs", findings: await checkPrograms(installation) },
  ]);
}
