import { expect, test } from "vitest";
import { free, memoryOf, movable } from "./owned-memory.ts";

test("memory may move when the bytes fill it, or when it is too large to be shared by Node", () => {
  const whole = Buffer.allocUnsafeSlow(100);
  expect(memoryOf(whole)).toEqual([whole.buffer]);
  const large = new Uint8Array(1_000_000);
  expect(memoryOf(large.subarray(5, 10))).toEqual([large.buffer]);
});

test("Node's pool of small buffers never moves", () => {
  expect(memoryOf(Buffer.from("small"))).toEqual([]);
  expect(memoryOf(new Uint8Array(new SharedArrayBuffer(8)))).toEqual([]);
});

test("bytes that fill more than half of their memory keep it, others are copied into memory of their own", () => {
  const memory = new Uint8Array(100).map((_, index) => index);
  const most = movable(memory.subarray(10, 61));
  expect(most.buffer).toBe(memory.buffer);
  expect(most).toEqual(memory.subarray(10, 61));
  const half = movable(memory.subarray(50, 100));
  expect(half.buffer).not.toBe(memory.buffer);
  expect(half.buffer.byteLength).toBe(50);
  expect(half).toEqual(memory.subarray(50, 100));
});

test("what is given back is gone, and giving it back again does nothing", () => {
  const bytes = new Uint8Array(1000);
  free(bytes);
  free(bytes);
  expect(bytes.byteLength).toBe(0);
  const shared = Buffer.from("small");
  free(shared);
  expect(shared.toString()).toBe("small");
});
