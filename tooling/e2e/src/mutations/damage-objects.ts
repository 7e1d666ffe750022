import type { FindingKind } from "@soar/verify";
import type { Change, Expectation } from "./change.ts";
import type { Dice } from "./dice.ts";
import { backupObjects, type RepositoryCopy } from "./repository-copy.ts";

const CONFIG = "config/backup-config.json";
/** Read at the ends of what can be restored, also by a quick verification. */
const DESCRIPTION_BYTES = 1100;

export function damageBytes(copy: RepositoryCopy, dice: Dice): Change {
  const key = dice.pick([...backupObjects(copy), ...backupObjects(copy), ...copy.segments, copy.history, CONFIG]);
  const bytes = Buffer.from(copy.objects.get(key) ?? Buffer.alloc(0));
  const at = dice.below(rangeOf(key, bytes));
  const bit = 1 << dice.below(8);
  bytes[at] = (bytes[at] ?? 0) ^ bit;
  return {
    objects: new Map([[key, bytes]]),
    description: `bit ${bit} of byte ${at} of ${key}`,
    expected: expectationOf(key),
  };
}

/** A history's text behind the switch point is for people; nobody could tell that it was changed. */
function rangeOf(key: string, bytes: Buffer): number {
  if (key.endsWith(".history")) return 1;
  return key.startsWith("wal/") ? bytes.length - DESCRIPTION_BYTES : bytes.length;
}

export function truncate(copy: RepositoryCopy, dice: Dice): Change {
  const key = dice.pick([...backupObjects(copy), ...copy.segments]);
  const bytes = copy.objects.get(key) ?? Buffer.alloc(0);
  const length = dice.below(bytes.length);
  const isArchive = !key.startsWith("wal/");
  // A segment of which almost nothing is left cannot be one, by its size alone.
  const level = isArchive || length < 150 ? "quick" : "full";
  const kinds: readonly FindingKind[] = isArchive
    ? ["object-wrong-size", "backup-record-damaged"]
    : ["wal-damaged", "wal-wrong-size"];
  return {
    objects: new Map([[key, bytes.subarray(0, length)]]),
    description: `cut ${key} to ${length} of ${bytes.length} bytes`,
    expected: { level, kinds, about: expectationOf(key).about },
  };
}

/** What must be found when bytes of this object are others. */
export function expectationOf(key: string): Expectation {
  const [, label = key] = /^base\/([^/]+)\//.exec(key) ?? [];
  if (key === CONFIG) return { level: "quick", kinds: ["backup-record-damaged", "backup-foreign"], about: [CONFIG] };
  if (key.endsWith(".json")) return { level: "quick", kinds: ["backup-record-damaged"], about: [label] };
  if (key.endsWith("/index.zst")) return { level: "quick", kinds: ["table-damaged"], about: [key] };
  if (/\/\w+\.(?:tar|members)\.\w+$/.test(key) && !key.includes("server-config"))
    return { level: "full", kinds: ["object-damaged"], about: [key] };
  if (key.startsWith("base/")) return { level: "quick", kinds: ["object-damaged"], about: [key] };
  if (key.endsWith(".history"))
    return { level: "either", kinds: ["history-damaged", "wal-missing", "wal-misplaced"], about: [""] };
  return { level: "full", kinds: ["wal-damaged"], about: [key] };
}
