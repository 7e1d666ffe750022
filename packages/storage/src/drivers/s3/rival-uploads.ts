import { hasErrorCode, messageOf } from "@soar/errors";
import { abortThrough } from "./abort-upload.ts";
import type { S3Call, S3Context } from "./context.ts";
import { isAboutManner } from "./refusals.ts";
import { readUploads } from "./unfinished-uploads.ts";
import type { Upload } from "./upload-state.ts";
import { isS3Failure, S3Failure, type S3Wire } from "./wire.ts";

/** A right that is given meanwhile counts with the first write after this time, in every process that goes on. */
const ASK_AGAIN_MS = 10 * 60_000;

/**
 * Aborts every other upload of this key. Of two writers who do so before they look for the object, and before they
 * complete, one at most succeeds: whoever begins after the other one has listed finds the other's upload, or its object.
 *
 * Where uploads may not be listed or aborted, or cannot be, the writers are left to find each other by looking. A refusal is
 * remembered for a while: each one has credentials looked for anew.
 */
export async function endRivals(
  { context, key, id }: Upload,
  wire: S3Wire,
  call: S3Call,
  requireAbsent: () => Promise<void>,
): Promise<void> {
  const { habits, seen } = context;
  if (wasRefusedLately(context)) return;
  try {
    const rivals: string[] = [];
    for await (const upload of readUploads(wire, call, key))
      if (upload.key === key && upload.uploadId !== id) rivals.push(upload.uploadId);
    // Where the key is taken already nothing is ended: some servers lose an object whose completed upload is aborted behind it.
    if (rivals.length > 0) await requireAbsent();
    for (const rival of rivals) await abortThrough(wire, key, rival, call.signal);
    habits.learn("rivalUploads", "ended");
  } catch (error) {
    if (!isNotForUs(error)) throw error;
    // One listing that cannot be read says nothing of the next one.
    if (!(error instanceof S3Failure)) return;
    // Only by an answer: what failed otherwise is asked for again with the next attempt.
    seen.rivalsRefusedAt = performance.now();
    habits.learn("rivalUploads", "left", messageOf(error));
  }
}

function wasRefusedLately({ habits, seen }: S3Context): boolean {
  return habits.now.rivalUploads === "left" && performance.now() - seen.rivalsRefusedAt < ASK_AGAIN_MS;
}

/** A refusal for want of rights, or of the request itself, or a listing that cannot be read. */
function isNotForUs(error: unknown): boolean {
  if (!(error instanceof S3Failure)) return hasErrorCode(error, "STORE_PROTOCOL");
  return isS3Failure(error, 403, "AccessDenied") || isAboutManner(error);
}
