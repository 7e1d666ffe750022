import { readTail } from "@soar/repository";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { openSegmentTail } from "./segment-tail.ts";

const segmentName = "000000010000000000000007";

/** A store whose puts end when the test says so. */
function heldStore(): { readonly store: ObjectStore; readonly begun: () => number; release(): void } {
  const memory = createMemoryStore({});
  let begun = 0;
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const store: ObjectStore = {
    ...memory,
    async put(key, body, options) {
      begun += 1;
      await held;
      return await memory.put(key, body, options);
    },
  };
  return { store, begun: () => begun, release: () => release() };
}

test("bytes that arrive while a piece is put go with the next one", async () => {
  const { store, begun, release } = heldStore();
  const tail = await openSegmentTail(store, { segmentName, segmentSize: 2 ** 20, systemIdentifier: "7", signal: new AbortController().signal });
  tail.push(Buffer.from("before "));
  const first = tail.ship();
  await expect.poll(begun).toBe(1);
  tail.push(Buffer.from("meanwhile "));
  release();
  expect(await first).toMatchObject({ from: 0, to: 7 });
  tail.push(Buffer.from("after"));
  expect(await tail.ship()).toMatchObject({ from: 7, to: 22 });
  expect((await readTail(store, segmentName))?.bytes.toString()).toBe("before meanwhile after");
});
