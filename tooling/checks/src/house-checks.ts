import { changesetFiles, firstReleases } from "./changeset-files.ts";
import type { Check, CheckResult } from "./check.ts";
import { citedSafety } from "./cited-safety.ts";
import { declaredDependencies } from "./declared-dependencies.ts";
import { dependencyRule } from "./dependency-rule.ts";
import { drawnRule } from "./drawn-rule.ts";
import { folderCircles } from "./folder-circles.ts";
import { libraryPurity } from "./library-purity.ts";
import { moduleShape } from "./module-shape.ts";
import { namedFiles } from "./named-files.ts";
import { oneWayToWrite } from "./one-way-to-write.ts";
import { packageFiles } from "./package-files.ts";
import { pinnedActions, pinnedTools } from "./pinned-tools.ts";
import { programGuards } from "./program-guards.ts";
import { programRuns } from "./program-runs.ts";
import { publicNames } from "./public-names.ts";
import { strangersWords } from "./strangers-words.ts";
import { supportedVersions } from "./supported-versions.ts";
import { testShape } from "./test-shape.ts";
import type { Workspace } from "./workspace.ts";
import { usingInLoops } from "./using-in-loops.ts";

const HOUSE_CHECKS: readonly Check[] = [
  dependencyRule,
  drawnRule,
  declaredDependencies,
  folderCircles,
  libraryPurity,
  oneWayToWrite,
  usingInLoops,
  moduleShape,
  testShape,
  publicNames,
  packageFiles,
  programGuards,
  programRuns,
  changesetFiles,
  firstReleases,
  pinnedTools,
  pinnedActions,
  namedFiles,
  citedSafety,
  supportedVersions,
  strangersWords,
];

/** Checks that need nothing but the sources. */
export function runHouseChecks(workspace: Workspace): CheckResult[] {
  return HOUSE_CHECKS.map(({ name, find }) => ({ name, findings: find(workspace) }));
}
