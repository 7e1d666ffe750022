import { describe, expect, test } from "vitest";
import { FetchOrder } from "./fetch-order.ts";

function fetchAll(order: FetchOrder): string[] {
  const fetched: string[] = [];
  for (let name = order.next(); name !== undefined; name = order.next()) {
    order.fetched(name);
    fetched.push(name);
  }
  return fetched;
}

describe("the order of fetching", () => {
  test("is done when nothing is left to fetch, whether or not all of it was taken", () => {
    const order = new FetchOrder({ names: ["1", "2", "3"], readTwice: [], window: 2 });
    expect(fetchAll(order)).toEqual(["1", "2"]);
    expect(order.isDone).toBe(false);
    order.taken("1");
    expect(fetchAll(order)).toEqual(["3"]);
    expect(order.isDone).toBe(true);
  });

  test("goes on until what is read twice was fetched twice", () => {
    const order = new FetchOrder({ names: ["1", "2"], readTwice: ["1"], window: 4 });
    expect(fetchAll(order)).toEqual(["1", "2"]);
    expect(order.isDone).toBe(false);
    order.taken("1");
    expect(fetchAll(order)).toEqual(["1"]);
    expect(order.isDone).toBe(true);
  });

  test("counts what is being fetched as if it lay ready", () => {
    const order = new FetchOrder({ names: ["1", "2", "3"], readTwice: [], window: 2 });
    expect([order.next(), order.next(), order.next()]).toEqual(["1", "2", undefined]);
    expect(order.ready).toEqual([]);
    order.fetched("1");
    expect(order.next()).toBeUndefined();
    order.failed("2");
    expect(order.next()).toBe("3");
    order.fetched("3");
    expect(order.ready).toEqual(["1", "3"]);
    order.taken("1");
    expect(order.ready).toEqual(["3"]);
  });

  test("has what is asked for again come before what is still ahead", () => {
    const order = new FetchOrder({ names: ["1", "2", "3"], readTwice: ["1"], window: 1 });
    expect(fetchAll(order)).toEqual(["1"]);
    order.taken("1");
    expect(fetchAll(order)).toEqual(["1"]);
    order.taken("1");
    expect(fetchAll(order)).toEqual(["2"]);
  });

  test("does not wait for a second reading of what nobody has come for and nobody could fetch", () => {
    const order = new FetchOrder({ names: ["1"], readTwice: ["1"], window: 4 });
    expect(order.next()).toBe("1");
    order.failed("1");
    expect(order.isDone).toBe(true);
  });

  test("is not done while something is being fetched", () => {
    const order = new FetchOrder({ names: ["1"], readTwice: [], window: 4 });
    expect(order.next()).toBe("1");
    expect(order.isDone).toBe(false);
    order.failed("1");
    expect(order.isDone).toBe(true);
  });
});
