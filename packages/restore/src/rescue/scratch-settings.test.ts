import { sampleRecord } from "@soar-tooling/sample-repository";
import { SUPPORTED_MAJORS } from "@soar/pg-tools/majors";
import { expect, test } from "vitest";
import { scratchSettings } from "./scratch-settings.ts";

test.each(
  SUPPORTED_MAJORS.map(({ major, features }) => [major, features.loginEventTriggers ? "off" : undefined] as const),
)("a scratch server of PostgreSQL %i acts on nobody, and its event triggers are %s", (major, eventTriggers) => {
  const plan = {
    backup: sampleRecord({ postgresVersion: major * 10_000 }),
    minimums: { max_worker_processes: 8, max_prepared_transactions: 3 },
  };
  const place = { dataDir: "/d", socketDir: "/s", hbaFile: "/h", identFile: "/i", port: 5433 };
  const common = { max_logical_replication_workers: "0", archive_mode: "off", max_prepared_transactions: "3" };
  const alone = scratchSettings(plan, place, { libraries: [], standby: false });
  expect(alone).toMatchObject({ ...common, max_worker_processes: "0", hot_standby: "off" });
  expect(alone["event_triggers"]).toBe(eventTriggers);
  // A hot standby refuses to start with fewer workers than its primary had.
  expect(scratchSettings(plan, place, { libraries: [], standby: true })).toMatchObject({
    ...common,
    max_worker_processes: "8",
    hot_standby: "on",
  });
});
