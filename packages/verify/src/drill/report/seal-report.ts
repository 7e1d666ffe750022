import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import type { DrillReport, DrillResult } from "./drill-report.ts";

/** Gives a result the digest of its own content. */
export function sealReport(result: DrillResult): DrillReport {
  // What JSON leaves out must not count.
  const content = JSON.parse(JSON.stringify(result)) as DrillResult;
  return { ...content, digest: digestOf(content) };
}

/**
 * Reads a report and proves that nothing of it was changed since it was sealed, line breaks and order aside. Throws
 * `FORMAT_INVALID` for what is no report, and `FINDINGS` when the content does not have the digest that it names.
 */
export function parseSealedReport(text: string, name: string): DrillReport {
  const { digest, ...content } = parseReport(text, name);
  const found = digestOf(content);
  if (found === digest) return { ...content, digest };
  throw new SoarError(
    "FINDINGS",
    `the report '${name}' was changed after it was written: it names the digest ${digest}, and its content has ${found}`,
    {
      hint: "Compare it with the digest in the log and in the notification of that drill.",
    },
  );
}

function parseReport(text: string, name: string): DrillReport {
  try {
    const value = JSON.parse(text) as Partial<DrillReport> | null;
    if (value?.kind === "soar-drill-report" && value.version === 1 && typeof value.digest === "string")
      return value as DrillReport;
  } catch (cause) {
    throw new SoarError("FORMAT_INVALID", `unable to read '${name}' as the report of a drill: it is no JSON`, {
      cause,
    });
  }
  throw new SoarError("FORMAT_INVALID", `unable to read '${name}' as the report of a drill: it is something else`, {
    hint: "Name the .json file that soar-backup-verify drill wrote.",
  });
}

function digestOf(content: DrillResult): string {
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}

/** One text for one value: keys in order, no blanks. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
