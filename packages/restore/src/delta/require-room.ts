import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { freeBytesAt } from "../data-directory.ts";
import type { RestorePlan } from "../restore-plan.ts";
import type { Approach } from "./approach.ts";

/** Rejects with `DISK_FULL` unless the cluster fits. What lies in the directory and is filled again counts as free. */
export async function requireRoom({ neededBytes }: RestorePlan, dataDir: string, { kind }: Approach): Promise<void> {
  if (kind === "recover" || kind === "follow" || kind === "finish") return;
  const free = await freeBytesAt(dataDir);
  const available = free >= neededBytes || kind !== "refill" ? free : free + (await allocatedBytes(dataDir));
  if (available >= neededBytes) return;
  throw new SoarError("DISK_FULL", `unable to restore into '${dataDir}': ${neededBytes} bytes are needed there, ${available} are free`, {
    hint: `Free space, or name a directory on a larger file system with --data-dir${kind === "replace" ? "; to give the old data up instead of keeping it beside the new: --discard-old-data" : ""}. Nothing was changed.`,
  });
}

async function allocatedBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}
