import { expect, test } from "vitest";
import { requires, tagsOfNeeds } from "./requires.ts";

test("a need that the machine meets skips nothing; another one skips, and says why", () => {
  const probes = [
    { need: "root", description: "one", findLack: () => undefined },
    { need: "mount", description: "other", findLack: () => "not allowed" },
  ] as const;
  expect(tagsOfNeeds(probes)).toEqual([
    { name: "needs-root", description: "one", skip: false },
    {
      name: "needs-mount",
      description: "other",
      skip: true,
      meta: { lack: { need: "mount", reason: "not allowed" } },
    },
  ]);
});

test("a test names all its needs, beside other options", () => {
  expect({ ...requires("mount", "systemd"), timeout: 5 }).toEqual({
    tags: ["needs-mount", "needs-systemd"],
    timeout: 5,
  });
});
