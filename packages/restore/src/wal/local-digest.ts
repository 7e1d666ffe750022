import { createHash } from "node:crypto";
import { basename } from "node:path";
import { openTrustedFile, readTrustedFile } from "@soar/durable-files/reading";
import { SoarError } from "@soar/errors";
import { formatTimelineHistory, parseTimelineHistory, parseWalFileName } from "@soar/pg-tools";
import type { RestorePlan } from "../plan/plan.ts";
import { segmentsUntil } from "../plan/segments-until.ts";
import { localSegments } from "../local-wal/local-chain.ts";

/**
 * Digests of the segments on this machine that the plan needs, by name. Taken when nothing writes to them any more, so
 * that recovery is given the very bytes that were planned.
 */
export async function digestLocalSegments({
  chain,
  resolved,
}: Pick<RestorePlan, "chain" | "resolved">): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const { name, object } of localSegments(segmentsUntil(chain, resolved.stopLsn)))
    if (object.file !== undefined) digests.set(name, await digestFile(object.file));
  return digests;
}

/** Rejects with `WAL_INVALID` unless the file still holds the bytes that were planned. */
export async function requireSameFile(path: string, sha256: string): Promise<void> {
  if (sha256 === "" || (await digestFile(path)) === sha256) return;
  throw new SoarError(
    "WAL_INVALID",
    `unable to use the WAL segment '${path}': it has changed since the restore was planned`,
    { hint: "Leave the directory that the restore kept alone; run the restore again to plan with what is there now." },
  );
}

/**
 * Rejects with `WAL_INVALID` unless the timeline history still says what the plan read in it: it is stored once and for ever, and
 * every later restore follows it. With `FORMAT_INVALID` where it is none, and with the error of the system call.
 *
 * @param planned as `formatTimelineHistory` writes it
 */
export async function requireSameHistory(path: string, planned: string): Promise<void> {
  const text = (await readTrustedFile(path)).toString("utf8");
  const file = parseWalFileName(basename(path));
  if (file.kind === "history" && formatTimelineHistory(parseTimelineHistory(text, file.timeline)) === planned) return;
  throw new SoarError(
    "WAL_INVALID",
    `unable to use the timeline history '${path}': it has changed since the restore was planned`,
    { hint: "Leave the directory that the restore kept alone; store the history of the lost server by hand." },
  );
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    await using file = await openTrustedFile(path);
    for await (const chunk of file.createReadStream({ highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  } catch (cause) {
    throw new SoarError(
      "FILE_UNREADABLE",
      `unable to read the WAL segment '${path}', which is not in the bucket: ${(cause as Error).message}`,
      {
        cause,
        hint: "Run as the owner of the data directory or as root, and leave the directory that a restore kept where it is.",
      },
    );
  }
  return hash.digest("hex");
}
