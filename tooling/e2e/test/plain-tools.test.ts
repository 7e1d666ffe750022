import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { codeBlocks } from "../src/documentation.ts";
import { createSoarWorld, ROOT, runProgram } from "../src/soar-world.ts";

test("the runbook's recipe restores with nothing but curl, tar, zstd and PostgreSQL", async () => {
  const installation = requireInstallation("pg_ctl");
  await using world = await createSoarWorld({ installation });
  const { cluster, s3 } = world;
  await cluster.query("CREATE TABLE t AS SELECT 1 AS a");
  const backup = await world.run("soar-base-backup", ["--json"]);
  const { label } = JSON.parse(backup.stdout) as { label: string };
  await cluster.query("INSERT INTO t VALUES (2)");
  await archiveAll(cluster);
  await cluster.kill();

  const directory = join(world.directory, "by-hand");
  mkdirSync(directory);
  chownSync(directory, serverUser().uid, serverUser().gid);
  const [recipe] = codeBlocks(join(ROOT, "docs/runbook.md"), "bash plain");
  const settings = {
    ENDPOINT: s3.endpoint,
    REGION: s3.region,
    BUCKET: `${s3.bucket}/cluster1`,
    LABEL: label,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    PGBIN: installation.binDir,
  };
  const result = await runProgram(["bash", "-euc", recipe?.text ?? "exit 1"], {
    settings,
    directory,
    asServerUser: true,
  });
  expect(result, `${result.stdout}\n${result.stderr}`).toMatchObject({ status: 0 });
  await using restored = await adoptTestCluster({ installation, dataDir: join(directory, "data"), start: false });
  await restored.stop("fast");
  await restored.start();
  expect(await restored.query("SELECT a FROM t ORDER BY a")).toEqual([{ a: 1 }, { a: 2 }]);
  expect(await restored.query("SELECT pg_is_in_recovery() AS recovering")).toEqual([{ recovering: false }]);
});
