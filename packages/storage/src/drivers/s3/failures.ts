import { S3Failure } from "./wire.ts";

/**
 * Reads what Node and the SDK throw where there is no answer, of which only names and shapes are promised. A failure that is one
 * already, and a TypeError of ours, which is a bug, stay what they are.
 */
export function failureOf(error: unknown): unknown {
  if (error instanceof S3Failure || !(error instanceof Error)) return error;
  const { code } = error as { readonly code?: unknown };
  if (error instanceof TypeError && code === undefined) return error;
  return new S3Failure(error.message, {
    code: typeof code === "string" && code !== "" ? code : error.name,
    cause: error,
  });
}
