// @module-tag needs-postgres-clients
import { rm } from "node:fs/promises";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { createSoarWorld } from "../src/soar-world.ts";

/** Of a provider that takes a single part: an object holds 48 MiB. */
const SMALL_OBJECTS = { BACKUP_MAX_PARTS: "1", BACKUP_COMPRESSION: "none" };

test(
  "a cluster that is too large for one object is stored in several, verified, backed up upon and restored",
  { timeout: 120_000 },
  async () => {
    await using world = await createSoarWorld({ installation: requireInstallation("pg_basebackup") });
    const { cluster, s3 } = world;
    const succeed = async (...[binary, args, options]: Parameters<typeof world.run>) => {
      const result = await world.run(binary, args, options);
      expect(result, result.stderr).toMatchObject({ status: 0 });
      return JSON.parse(result.stdout) as { label: string; sizes: { new: number } };
    };
    await cluster.query(
      "CREATE TABLE t AS SELECT n, repeat(md5(n::text), 30) AS filler FROM generate_series(1, 50000) n",
    );
    const full = await succeed("soar-base-backup", ["--json"], { settings: SMALL_OBJECTS });
    const names = Array.from(s3.objects().keys(), (key) => key.slice(key.lastIndexOf("/") + 1));
    expect(names.filter((name) => name.endsWith(".tar"))).toEqual(["backup-2.tar", "backup.tar"]);
    await cluster.query("UPDATE t SET n = -n WHERE n < 100");
    const incremental = await succeed("soar-base-backup", ["--json", "--incremental"], { settings: SMALL_OBJECTS });
    expect(incremental.sizes.new).toBeLessThan(full.sizes.new / 2);
    await succeed("soar-backup-verify", ["--json", full.label, incremental.label]);
    await cluster.query("SELECT pg_switch_wal()");
    const rows = await cluster.query("SELECT count(*), sum(n), md5(string_agg(filler, '' ORDER BY n)) FROM t");
    await cluster.kill();
    await rm(cluster.dataDir, { recursive: true });
    await succeed("soar-restore", ["--latest", "--base-backup", incremental.label, "--yes", "--json"]);
    expect(await cluster.query("SELECT count(*), sum(n), md5(string_agg(filler, '' ORDER BY n)) FROM t")).toEqual(rows);
    await cluster.stop("immediate");
  },
);
