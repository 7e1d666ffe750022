import type { RestorePlan } from "@soar/restore/plan";
import type { TargetServer } from "@soar/restore/rescue";
import { expect, test } from "vitest";
import { measureRpo, type ProductionState } from "./measure-rpo.ts";

const NEWEST = new Date("2025-01-10T14:30:00.250Z");
const at = new Date("2025-01-10T14:30:02.000Z");
const plan = (lastReplayed: object | undefined = { lsn: 0n, time: BigInt(NEWEST.getTime()) * 1000n }) =>
  ({ resolved: { stopLsn: 0x3000n, lastReplayed } }) as unknown as RestorePlan;
const wrote = (writtenLsn: bigint): ProductionState => ({ target: {} as TargetServer, writtenLsn, clock: at });

test("nothing would be lost when everything that production had written is in the bucket", () => {
  for (const lsn of [0x2000n, 0x3000n])
    expect(measureRpo(plan(), { at, production: wrote(lsn) })).toMatchObject({
      seconds: 0,
      basis: expect.stringContaining("was in the bucket"),
    });
});

test("else everything since the newest commit there might be, by the clock at which production was asked", () => {
  expect(measureRpo(plan(), { at, production: wrote(0x3100n) })).toEqual({
    seconds: 1.75,
    basis: expect.stringMatching(
      /newest commit in the bucket was of 2025-01-10 14:30:00\.25.*; 256 bytes of WAL that production had written were not there$/,
    ),
  });
  expect(measureRpo(plan(), { at, production: undefined })).toMatchObject({
    seconds: 1.75,
    basis: expect.stringContaining("production was not asked"),
  });
});

test("a clock behind the commits makes no gain, and without a commit nothing is said", () => {
  expect(measureRpo(plan(), { at: new Date(NEWEST.getTime() - 5000), production: undefined })).toMatchObject({
    seconds: 0,
  });
  expect(measureRpo(plan(), { at: new Date(NEWEST.getTime() - 86_400_000), production: undefined })).toBeUndefined();
  expect(
    measureRpo({ resolved: { stopLsn: 0x3000n, lastReplayed: undefined } } as unknown as RestorePlan, {
      at,
      production: wrote(0x3100n),
    }),
  ).toBeUndefined();
});
