import { randomUUID } from "node:crypto";
import { hasErrorCode, type ErrorCode } from "@soar/errors";
import { expect } from "vitest";
import type { ObjectStore, StoredObject } from "../object-store.ts";
import { readObject } from "../read-object.ts";

/** What every test of the suite works with: a store, and a part of its key space of its own. */
export interface SuiteContext {
  /** The store under test. */
  readonly store: ObjectStore;
  /** Where objects are prepared: the store itself, or what lies below a read-only view. */
  readonly writer: ObjectStore;
  /** Makes a key that no other test uses. */
  readonly key: (name: string) => string;
  /** Size of parts, in bytes. */
  readonly partSize: number;
}

/** Hands out the context of the running test. */
export type UseContext = () => SuiteContext;

/** A prefix for one run of the suite, so that it can share a bucket with others. */
export function createRoot(): string {
  return `conformance-${randomUUID()}/`;
}

/** Bytes that differ from place to place, so that a wrong range never looks right. */
export function bytesOf(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  for (let index = 0, value = seed; index < size; index += 1) {
    value = (value * 1103515245 + 12345) % 2147483648;
    bytes[index] = value >> 16;
  }
  return bytes;
}

/** Asserts that something rejects with one of these codes, and returns the error. */
export async function expectRejection(promise: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<Error> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in outcome))
    expect.fail(`it should have rejected with ${codes.join(" or ")}, but gave ${JSON.stringify(outcome.value)}`);
  if (!hasErrorCode(outcome.error, ...codes))
    throw new Error(`it rejected with something else than ${codes.join(" or ")}: ${String(outcome.error)}`, {
      cause: outcome.error,
    });
  return outcome.error;
}

/** Asserts that an object holds exactly these bytes. */
export async function expectContent(store: ObjectStore, key: string, expected: Uint8Array): Promise<void> {
  const bytes = await readObject(store, key);
  expect(bytes.byteLength).toBe(expected.byteLength);
  expect(bytes.equals(expected), `the bytes of '${key}'`).toBe(true);
}

/** Asserts that there is no such object, by every way of asking. */
export async function expectAbsent({ store }: SuiteContext, key: string): Promise<void> {
  expect(await store.stat(key)).toBeUndefined();
  await expectRejection(readObject(store, key), "OBJECT_MISSING");
  expect(await listKeys(store, key)).not.toContain(key);
}

export async function listKeys(store: ObjectStore, prefix: string, startAfter?: string): Promise<string[]> {
  return (await listObjects(store, prefix, startAfter)).map(({ key }) => key);
}

export async function listObjects(store: ObjectStore, prefix: string, startAfter?: string): Promise<StoredObject[]> {
  return await collectItems(store.list(prefix, { startAfter }));
}

/** A signal that has fired already. */
export function firedSignal(): AbortSignal {
  return AbortSignal.abort(new Error("the test gave up"));
}

/** Everything that an iteration yields. */
export async function collectItems<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
