import type { PutOptions } from "../../object-store.ts";
import type { S3Context } from "./context.ts";

/**
 * Whether "only if absent" is safer as an upload of one part. Nobody can end another writer's put, so where the server does
 * not decide, one of two may replace the other's and both be told that it is stored; of two uploads one at most succeeds. It
 * takes more requests, and has to be proved to work: what is known of completions was found out with one part. So it is also
 * where this key may end nobody: another writer's may, and can end an upload and no put.
 */
export function isSaferAsUpload(
  { habits: { now } }: Pick<S3Context, "habits">,
  { ifAbsent }: PutOptions,
  body: Uint8Array,
): boolean {
  // A part has at least one byte, and of two empty objects it matters to nobody which one stays.
  if (ifAbsent !== true || body.byteLength === 0) return false;
  const isUndecided = now.conditionalPut === "honoured" ? now.atomicPut === "no" : now.conditionalPut !== "unknown";
  return isUndecided && (now.conditionalComplete === "honoured" || now.conditionalComplete === "ignored");
}
