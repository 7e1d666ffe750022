import { parseBackupKey } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import type { Finding } from "../finding.ts";
import { DamageReport } from "./damage-report.ts";
import { planMembers, type PlannedMember } from "./plan-members.ts";
import type { ReadableBackup, ReadBackupOptions } from "./read-backup.ts";
import { readRanges } from "./read-ranges.ts";
import { sliceName } from "../sample/unit-names.ts";

/** Reads the members in some slices of a backup's own objects: their digests, and the checksums of whole pages. */
export async function readSlices(
  store: ObjectStore,
  { backup, table }: Pick<ReadableBackup, "backup" | "table">,
  options: ReadBackupOptions & { readonly slices: ReadonlySet<string> },
): Promise<Finding[]> {
  const { slices, sizeOf, known, onMember, onDamaged } = options;
  const report = new DamageReport(backup.label, onDamaged);
  const wants = ({ location: { object, offset, storedLength } }: PlannedMember): boolean =>
    parseBackupKey(object)?.label === backup.label &&
    slices.has(sliceName(object, offset)) &&
    offset + storedLength <= (sizeOf(object) ?? 0);
  for (const archive of table.archives) {
    for await (const { planned, outcome } of readRanges(store, planMembers(archive, backup.record), {
      ...options,
      wants,
      returnsPlain: () => false,
    })) {
      if (outcome === undefined) continue;
      onMember?.(planned.location);
      if ("failure" in outcome) {
        report.member(planned, outcome.failure);
        continue;
      }
      for (const [at, run] of planned.runs.entries()) report.pages(planned, run, outcome.runs[at]?.damagedBlocks ?? []);
      // A later incremental that refers to it need not read it again.
      const [content] = outcome.runs;
      if (planned.isContent && content !== undefined)
        known.add(planned.location.object, planned.location.offset, content.checksum);
    }
  }
  return report.findings();
}
