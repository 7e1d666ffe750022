import type { Workspace } from "./workspace.ts";

/** One place that breaks a rule. */
export interface Finding {
  /** Relative to the checkout. */
  readonly path: string;
  readonly line?: number;
  readonly message: string;
}

/** A rule of the house; it passes when it finds nothing. */
export interface Check {
  readonly name: string;
  readonly find: (workspace: Workspace) => Finding[];
}

export interface CheckResult {
  readonly name: string;
  readonly findings: readonly Finding[];
}

/** The findings of a check for people; empty when it passed. */
export function formatResult({ name, findings }: CheckResult): string {
  return findings.length === 0
    ? ""
    : [`${name}: ${findings.length} found`, ...findings.map(formatFinding), ""].join("\n");
}

function formatFinding({ path, line, message }: Finding): string {
  return line === undefined ? `  ${path}: ${message}` : `  ${path}:${line}: ${message}`;
}
