import { expect, test } from "vitest";
import { quietSettings, withoutJobLibraries } from "./quiet-settings.ts";

test.each([
  ["", undefined],
  ["pg_stat_statements", undefined],
  ["pg_cron", ""],
  ["$libdir/pg_cron.so, /usr/lib/postgresql/15/lib/auto_explain.so", "/usr/lib/postgresql/15/lib/auto_explain.so"],
  ["pg_failover_slots,pgautofailover", ""],
  ['timescaledb, "pg_cron",$libdir/pg_net, auto_explain', "timescaledb, auto_explain"],
  ['pg_cron, "/opt/a,b/pg_cron.so", "/opt/pg_net, later/x", "pg_net.so"', '"/opt/pg_net, later/x"'],
  // The server loads nothing of a list that is broken.
  ["auto_explain, pg_cron,", undefined],
])("libraries that only begin jobs are left out of %j", (setting, rest) => {
  expect(withoutJobLibraries(setting)).toBe(rest);
});

test.each([true, false])("libraries that have to be loaded begin nothing: standby %s", (standby) => {
  expect(quietSettings(15, { standby })).toMatchObject({
    "citus.recover_2pc_interval": "-1",
    "citus.enable_metadata_sync": "off",
    "timescaledb.max_background_workers": "0",
  });
});
