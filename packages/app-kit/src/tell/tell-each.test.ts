import { SoarError } from "@soar/errors";
import { expect, test } from "vitest";
import { tellEach } from "./tell-each.ts";

const failing = (message: string, hint: string) => () =>
  Promise.reject(new SoarError("FILE_UNWRITABLE", message, { hint }));

test("every way is tried, whichever of them fails, and all failures are named", async () => {
  const told: string[] = [];
  const way = (name: string) => () => Promise.resolve(void told.push(name));
  const ways = [way("mail"), failing("no disk", "Free some."), way("webhook"), failing("no net", "Plug it in.")];
  await expect(tellEach(...ways, way("metrics"))).rejects.toMatchObject({
    code: "FILE_UNWRITABLE",
    message: "no disk; no net",
    hint: "Free some. Plug it in.",
  });
  expect(told).toEqual(["mail", "webhook", "metrics"]);
  await tellEach(way("again"));
  expect(told.at(-1)).toBe("again");
});

test("a bug ends it at once", async () => {
  await expect(tellEach(() => Promise.reject(new TypeError("x")), failing("y", "z"))).rejects.toThrow(TypeError);
});
