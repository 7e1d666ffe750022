import { createMemoryStore } from "@soar/storage";
import { expect, test } from "vitest";
import { storeTime } from "./store-time.ts";

const noon = new Date("2025-06-01T12:00:00Z");
const { features } = createMemoryStore();
const told = (minutes: number) => ({
  features: { ...features, clock: () => new Date(noon.getTime() + minutes * 60_000) },
});

test("what is written into the bucket is dated by the store's clock where this machine's is wrong", () => {
  expect(storeTime({ features }, noon)).toBe(noon);
  expect(storeTime(told(14), noon)).toBe(noon);
  expect(storeTime(told(-14), noon)).toBe(noon);
  expect(storeTime(told(-180), noon)).toEqual(new Date("2025-06-01T09:00:00Z"));
  expect(storeTime(told(180), noon)).toEqual(new Date("2025-06-01T15:00:00Z"));
});
