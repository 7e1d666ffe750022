import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPrivateDirectory, removePrivateDirectory } from "./private-access.ts";

let root: string;
beforeEach(() => void (root = realpathSync(mkdtempSync(join(tmpdir(), "soar-private-")))));
afterEach(() => rmSync(root, { recursive: true }));

test.each([
  ["in the data directory", "data"],
  ["in /tmp, where the path of the data directory is too long for a socket", "x".repeat(90)],
])(
  "the private directory %s is noted before it is there, so that a kill leaves none that nobody knows",
  async (_name, name) => {
    const dataDir = join(root, name);
    mkdirSync(join(dataDir, "soar-restore"), { recursive: true, mode: 0o700 });
    const noted: string[] = [];
    const made = await createPrivateDirectory(dataDir, undefined, async (directory) => {
      noted.push(directory);
      expect(existsSync(directory)).toBe(false);
    });
    expect(noted).toEqual([made]);
    expect(readdirSync(made)).toEqual(["pg_hba.conf"]);
    await removePrivateDirectory(dataDir, noted[0], undefined);
    expect(existsSync(made)).toBe(false);
    // Noted, and killed before it was made.
    await removePrivateDirectory(dataDir, noted[0], undefined);
  },
);

test("a record that cannot be written leaves no private directory behind", async () => {
  const noted: string[] = [];
  const refused = createPrivateDirectory(join(root, "x".repeat(90)), undefined, (directory) => {
    noted.push(directory);
    return Promise.reject(new Error("no room"));
  });
  await expect(refused).rejects.toThrow("no room");
  expect(noted.map((directory) => existsSync(directory))).toEqual([false]);
});
