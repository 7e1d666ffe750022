import { executeExpiry, planExpiry, readExpiryState } from "@soar/repository/expiry";
import { planRestore, withPlanLease } from "@soar/restore/plan";
import type { ObjectStore } from "@soar/storage";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { copyStore, createPlanningWorld, type PlanningWorld } from "./planning-world.ts";

let world: PlanningWorld;
let store: ObjectStore;
beforeAll(async () => {
  world = await createPlanningWorld();
});
beforeEach(async () => {
  store = await copyStore(world.store, () => true);
});

const planOld = () => planRestore(store, { target: { kind: "latest" }, backup: world.backups.quiet.label });
const planAny = () => planRestore(store, { target: { kind: "latest" } });

test("what expired between the plan and its lease is planned anew before anything is touched", async () => {
  const old = await planOld();
  // The backup stays for its pin, and what leads on from it goes: it is not looked for by its record.
  const state = await readExpiryState(store, { now: new Date(Date.now() + 400 * 86_400_000) });
  const policy = { windowDays: 1, minimumBackups: 1 };
  const time = { ...state.time, now: new Date(Date.now() + 400 * 86_400_000) };
  const late = { ...state, time };
  await executeExpiry(store, { state: late, policy, plan: planExpiry(late, policy) });
  await expect(withPlanLease(store, old, { purpose: "restore" }, () => Promise.resolve("done"))).rejects.toMatchObject({
    code: "BACKUP_MISSING",
  });
  const label = await withPlanLease(store, old, { purpose: "restore", replan: planAny }, (plan) =>
    Promise.resolve(plan.backup.label),
  );
  expect(label).not.toBe(old.backup.label);
});

test("WAL that has gone is noticed although the backup is there, and a plan that is gone twice is refused", async () => {
  const old = await planOld();
  const segment = old.chain.segments.at(-2);
  if (segment === undefined) throw new Error("too few segments");
  await store.remove([segment.object.key]);
  const refused = { code: "WAL_MISSING", message: expect.stringContaining(segment.name) as unknown };
  const work = () => Promise.reject(new Error("it was carried out"));
  await expect(withPlanLease(store, old, { purpose: "drill" }, work)).rejects.toMatchObject(refused);
  const again = { purpose: "restore", replan: () => Promise.resolve(old) } as const;
  await expect(withPlanLease(store, old, again, work)).rejects.toMatchObject(refused);
  for await (const { key } of store.list("config/leases/")) throw new Error(`${key} was left`);
});
