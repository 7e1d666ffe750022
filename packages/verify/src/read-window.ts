import { readRecoveryWindow, type RecoveryWindow } from "@soar/repository/window";
import type { CallOptions } from "@soar/storage";
import { isDamage, type Finding } from "./finding.ts";
import type { Survey } from "./survey/survey-repository.ts";

/** What can be restored, or the finding that hides it, where no other of `findings` tells of that. */
export async function readWindow(
  survey: Survey,
  findings: readonly Finding[],
  { signal }: CallOptions,
): Promise<{ readonly window: RecoveryWindow | undefined; readonly finding: Finding | undefined }> {
  try {
    return {
      window: await readRecoveryWindow(survey.store, survey.repository.walSegmentSize, { signal }),
      finding: undefined,
    };
  } catch (error) {
    if (!isDamage(error)) throw error;
    // Mostly what hides the window is a finding already.
    const isTold = findings.some(
      ({ kind, where }) =>
        kind.startsWith("history-") ||
        kind === "object-stray" ||
        (kind.startsWith("wal-") && error.message.includes(where)),
    );
    const finding: Finding = {
      kind: "wal-damaged",
      severity: "error",
      where: "wal/",
      what: error.message,
      advice: error.hint ?? "Verify with --level full.",
    };
    return { window: undefined, finding: isTold ? undefined : finding };
  }
}
