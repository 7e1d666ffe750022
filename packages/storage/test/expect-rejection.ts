import { isSoarError, type ErrorCode, type SoarError } from "@soar/errors";
import { expect } from "vitest";

/** Asserts that something rejects with a failure of the table, and returns it for a closer look. */
export async function expectRejection(promise: Promise<unknown>, code: ErrorCode): Promise<SoarError> {
  const error = await promise.then(
    (value) => expect.fail(`it should have rejected with ${code}, but gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!isSoarError(error)) throw error;
  expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}: `));
  return error;
}

export async function keysOf(items: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of items) keys.push(key);
  return keys;
}
