import { createMemoryStore } from "@soar/storage";
import { putSampleBackup, SAMPLE_LABEL } from "@soar-tooling/sample-repository";
import { expect, test } from "vitest";
import { countHoles, totalHoles } from "../src/fetch/count-holes.ts";

const CHUNK = 16_384;

/** Of a backup with a large file whose pages were changed like this; with the length of that file. */
async function holesOf(change: (pages: Buffer) => void): Promise<{ holes: number | undefined; length: number }> {
  const store = createMemoryStore({ name: "holes" });
  let length = 0;
  const damage = (pages: Buffer): void => {
    length = pages.length;
    change(pages);
  };
  const backup = await putSampleBackup(store, { label: SAMPLE_LABEL, first: 3, damage });
  return { holes: (await countHoles(store, backup)).get("base"), length };
}

test("chunks of a file that hold nothing but zeros become holes, and no others", async () => {
  const whole = await holesOf((pages) => pages.fill(0));
  expect(whole.length).toBeGreaterThan(2 * CHUNK);
  expect(whole.holes).toBe(whole.length);
  expect(await holesOf((pages) => pages.fill(0, CHUNK, 2 * CHUNK))).toMatchObject({ holes: CHUNK });
  expect(await holesOf((pages) => pages.fill(0, CHUNK, 2 * CHUNK - 1).fill(1, 2 * CHUNK - 1))).toMatchObject({
    holes: 0,
  });
  expect(await holesOf((pages) => pages.fill(1))).toMatchObject({ holes: 0 });
});

test("holes of some files only are counted, and those of all archives together", async () => {
  const store = createMemoryStore({ name: "holes" });
  const damage = (pages: Buffer): void => void pages.fill(0);
  const backup = await putSampleBackup(store, { label: SAMPLE_LABEL, first: 3, damage });
  const all = totalHoles(await countHoles(store, backup));
  const selected = async (select: (entry: { path: string }) => boolean) =>
    totalHoles(await countHoles(store, backup, { select }));
  expect(all).toBeGreaterThan(0);
  expect(await selected(() => true)).toBe(all);
  expect(await selected(() => false)).toBe(0);
  // Zeros at the end of the tar stream go with its last file.
  const others = await selected(({ path }) => !path.startsWith("base/"));
  expect(others).toBeLessThan(CHUNK);
  expect(await selected(({ path }) => path.startsWith("base/"))).toBe(all - others);
});
