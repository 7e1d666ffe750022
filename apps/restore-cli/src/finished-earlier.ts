import type { Prepared } from "./prepare.ts";

/** An interrupted restore whose server had been opened: the run has finished it, and restored nothing. */
export type FinishedEarlier = { readonly backup: string; readonly startedAt: string } | undefined;

/** What a run has finished instead of restoring. */
export function finishedEarlier({ checked: { approach } }: Pick<Prepared, "checked">): FinishedEarlier {
  return approach.kind === "opened" ? approach.earlier : undefined;
}

export const nothingRestored = ({ backup, startedAt }: NonNullable<FinishedEarlier>): string =>
  `nothing was restored by this run: it finished the restore from backup ${backup} that was begun ${startedAt} and whose server had been opened`;
