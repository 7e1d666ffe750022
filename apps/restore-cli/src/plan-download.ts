import { formatSize } from "@soar/app-kit";
import type { Approach } from "@soar/restore";
import type { RestorePlan } from "@soar/restore/plan";

/** What a restore may have to download, as far as that can be told before anything is compared. */
export interface ToDownload {
  readonly backup: number;
  readonly wal: number;
  /** What lies there already need not come, and nobody knows yet how much that is. */
  readonly atMost: boolean;
}

/** `approach` is undefined where something stands against the restore. */
export function toDownload({ fetchBytes }: RestorePlan, approach: Approach | undefined): ToDownload {
  switch (approach?.kind) {
    case undefined:
    case "fill":
    case "replace":
      return { ...fetchBytes, atMost: false };
    case "refill":
      return { ...fetchBytes, atMost: true };
    case "recover":
    case "at-target":
    case "follow":
      return { backup: 0, wal: fetchBytes.wal, atMost: true };
    case "finish":
    case "opened":
      return { backup: 0, wal: 0, atMost: false };
  }
}

export function downloadText({ backup, wal, atMost }: ToDownload): string {
  if (backup === 0 && wal === 0) return "nothing";
  if (backup === 0) return `nothing of the backup, which is there, and at most ${formatSize(wal)} of WAL`;
  const text = `${formatSize(backup)} of backup and ${formatSize(wal)} of WAL`;
  return atMost ? `at most ${text}: what is there already, and right, is not fetched` : text;
}
