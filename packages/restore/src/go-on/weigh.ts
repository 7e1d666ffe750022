import { setTimeout as delay } from "node:timers/promises";
import { weighFiles, weighPages, type Evidence, type Weighed } from "./doubts.ts";
import type { Looked } from "./look-at-files.ts";

export interface Weighing extends Evidence {
  /** Whether less of a file counts: where it is known what there was when replay had ended. */
  readonly isJudged: boolean;
  /** Whether a file that is gone, and of which no WAL tells, is only named. */
  readonly mayBeUnknown: boolean;
}

/** What is written to WAL is on the disk by then, unless the disk hangs (`wal_writer_delay`); a database goes before the record that says so. */
const ATTEMPTS = 5;
const BETWEEN_MS = 400;

/**
 * Weighs what was looked at against WAL, which is read behind it: what a server that runs removes meanwhile is in it. An objection
 * stands when WAL says nothing to it for longer than a server takes to write it.
 */
export async function weigh(
  looked: Pick<Looked, "readFiles" | "lessThere">,
  { isJudged, mayBeUnknown, ...evidence }: Weighing,
): Promise<Weighed & { readonly isExplained: boolean }> {
  for (let attempt = 1; ; attempt += 1) {
    let known: ReturnType<Evidence["removed"]> | undefined;
    const now = { ...evidence, removed: () => (known ??= evidence.removed()) };
    const weighed = await weighPages(looked.readFiles, now);
    const ofFiles = isJudged ? await weighFiles(looked.lessThere, now) : undefined;
    const objection = weighed.objection ?? (ofFiles?.kind === "unknown" && mayBeUnknown ? undefined : ofFiles);
    if (objection === undefined || !evidence.isRunning || attempt === ATTEMPTS)
      return { ...weighed, objection, isExplained: isJudged && ofFiles === undefined };
    await delay(BETWEEN_MS);
  }
}
