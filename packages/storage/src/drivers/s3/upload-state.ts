import type { SoarError } from "@soar/errors";
import { type PartRules, uploadEnded } from "../../multipart-parts.ts";
import type { MultipartOptions } from "../../object-store.ts";
import type { S3Context } from "./context.ts";
import { isS3Failure, type S3Failure, type S3Wire } from "./wire.ts";

/** A part that the server has. */
export interface Part {
  readonly size: number;
  readonly etag: string;
  readonly md5: string;
}

/** One upload in parts under way. */
export interface Upload {
  readonly context: S3Context;
  readonly key: string;
  readonly id: string;
  readonly options: MultipartOptions;
  readonly rules: PartRules;
  readonly parts: Map<number, Part>;
  /** Whether its one part is all of the object, which is read back where marks do not tell whose it is. */
  readonly isPut: boolean;
  /** A completion was sent that the server did not clearly refuse: what is there now may be ours. */
  mayBeDone: boolean;
  /** Completed or aborted by ourselves. */
  hasEnded: boolean;
  /** Completed or aborted by somebody else, as the server says. */
  isGone: boolean;
}

/** The parts in the order of their numbers. */
export function partsInOrder({ parts }: Upload): (Part & { readonly partNumber: number })[] {
  return [...parts].sort(([left], [right]) => left - right).map(([partNumber, part]) => ({ partNumber, ...part }));
}

/**
 * Whether the server has no such upload any more. Some answer a completion, or a part, of one that has ended like any
 * failure of theirs (500), which trying again would never change. Whoever may not ask, or gets no answer, is told no.
 */
export async function isUploadGone(
  wire: S3Wire,
  { key, id }: Upload,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await wire.listParts({ key, uploadId: id, signal });
    return false;
  } catch (error) {
    return isNoUpload(error);
  }
}

/** The failure of using an upload that the server has no more. */
export function uploadGone(upload: Upload): SoarError {
  upload.isGone = true;
  return uploadEnded(upload.rules.name);
}

/** True for the answer that there is no such upload, in whatever words. */
export function isNoUpload(error: unknown): error is S3Failure {
  return isS3Failure(error, 404, "NoSuchUpload") && !isS3Failure(error, 0, "NoSuchBucket");
}
