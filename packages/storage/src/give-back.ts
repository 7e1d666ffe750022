import { hasErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import type { MultipartUpload } from "./object-store.ts";

/** Whoever has failed, or was stopped, waits no longer for a server that says nothing, in milliseconds. */
const GIVE_BACK_MS = 10_000;

const LEFT_OVER =
  "Parts that are left over are billed until a lifecycle rule with AbortIncompleteMultipartUpload, or the expiry behind a later base backup, removes them.";

type Begun = Pick<MultipartUpload, "key" | "abort">;

/**
 * Gives the parts back, unless that takes too long. When it fails too, the first failure stays the one that is reported, names
 * the second, and says what becomes of the parts.
 */
export async function abortUpload(upload: Begun, error: unknown, limitMs = GIVE_BACK_MS): Promise<unknown> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    await upload.abort({ signal: limit });
    return error;
  } catch (abortError) {
    if (!isSoarError(error))
      return new AggregateError([error, abortError], `unable to upload '${upload.key}' and to give its parts back`);
    const fact = limit.aborted ? `they were not taken back within ${limitMs / 1000} s` : messageOf(abortError);
    return new SoarError(error.code, `${error.message}; its parts are left over, because: ${fact}`, {
      hint: error.hint === undefined ? LEFT_OVER : `${error.hint} ${LEFT_OVER}`,
      cause: error,
      retryable: error.retryable,
    });
  }
}

/** Aborts the upload of a test, whose failure is the answer. Rejects with `STORE_UNREACHABLE` where the server says nothing. */
export async function abortWithin(upload: Begun, limitMs = GIVE_BACK_MS): Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    await upload.abort({ signal: limit });
  } catch (error) {
    if (!limit.aborted) throw error;
    throw new SoarError(
      "STORE_UNREACHABLE",
      `unable to abort the upload of '${upload.key}': no answer within ${limitMs / 1000} s`,
      { cause: error },
    );
  }
}

/** The same for the upload of a probe, whose part is some bytes: they are left where the server says nothing, or the key may not. */
export async function abortProbe(upload: Begun): Promise<void> {
  const limit = AbortSignal.timeout(GIVE_BACK_MS);
  await giveBack(async () => {
    try {
      await upload.abort({ signal: limit });
    } catch (error) {
      if (!limit.aborted) throw error;
    }
  });
}

/** Undoes what a probe did; a key that may not is left with some bytes. */
export async function giveBack(undo: () => Promise<void>): Promise<void> {
  try {
    await undo();
  } catch (error) {
    if (!hasErrorCode(error, "STORE_DENIED", "OBJECT_LOCKED", "STORE_UNSUPPORTED")) throw error;
  }
}
