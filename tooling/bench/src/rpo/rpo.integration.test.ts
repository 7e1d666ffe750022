import { startS3ServerProcess, type S3ServerProcess } from "@soar-tooling/s3-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loseMachine, type Loss } from "./lose-machine.ts";
import { createTemplate, type Template } from "./template.ts";

let template: Template;
let s3: S3ServerProcess;
beforeAll(async () => {
  [template, s3] = await Promise.all([createTemplate(1), startS3ServerProcess({ latencyMs: 50 })]);
});
afterAll(async () => {
  await template.cluster.remove();
  await s3.close();
});

async function lose(synchronous: boolean): Promise<Loss[]> {
  const losses: Loss[] = [];
  // The second time the switch to another segment is met too: a row is a kilobyte.
  for (const [n, writeMs] of [400, 2_500].entries()) {
    losses.push(
      await loseMachine({
        template,
        s3,
        run: `${synchronous ? "synchronous" : "default"}-${n}`,
        synchronous,
        writeMs,
        provesByRestore: n === 1,
      }),
    );
  }
  expect(losses[1]?.restoredNewest, "what is read from the bucket is what a restore gives").toBe(losses[1]?.newest);
  return losses;
}

test(
  "in synchronous mode no acknowledged commit is lost with server, archiver and disk",
  { timeout: 180_000 },
  async () => {
    expect((await lose(true)).map(({ lostCommits }) => lostCommits)).toEqual([0, 0]);
  },
);

test(
  "in default mode what is in the bucket comes back, up to one moment and without a hole",
  { timeout: 180_000 },
  async () => {
    // How long before the loss that moment is, is a figure: `npm run bench rpo` measures it.
    for (const { acknowledged, lostCommits } of await lose(false))
      expect(lostCommits).toBeLessThanOrEqual(acknowledged);
  },
);
