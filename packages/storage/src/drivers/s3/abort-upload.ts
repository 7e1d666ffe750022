import { isS3Failure, type S3Wire } from "./wire.ts";

/** Aborting what has ended is what was wanted, and servers have several words for its not being there. */
export async function abortThrough(
  wire: S3Wire,
  key: string,
  uploadId: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await wire.abortUpload({ key, uploadId, signal });
  } catch (error) {
    if (!isS3Failure(error, 404)) throw error;
  }
}
