import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import { parseJsonAs } from "@soar/repository";
import * as v from "valibot";
import type { DrillReport, DrillResult } from "./drill-report.ts";
import { reportHeadSchema, reportSchema } from "./report-schema.ts";

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
  const head = parseJsonAs(reportHeadSchema, text);
  if (head?.version !== 1) throw noReport(name, "it is something else");
  const { digest, ...content } = head;
  const found = digestOf(content);
  if (found !== digest)
    throw new SoarError(
      "FINDINGS",
      `the report '${name}' was changed after it was written: it names the digest ${digest}, and its content has ${found}`,
      {
        hint: "Compare it with the digest in the log and in the notification of that drill.",
      },
    );
  const result = v.safeParse(reportSchema, head);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw noReport(name, `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

function noReport(name: string, fact: string): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read '${name}' as the report of a drill: ${fact}`, {
    hint: "Name the .json file that soar-backup-verify drill wrote.",
  });
}

function digestOf(content: object): string {
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
