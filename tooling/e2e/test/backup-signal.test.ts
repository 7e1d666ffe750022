import { spawn } from "node:child_process";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { openStore } from "@soar/storage";
import { expect, test } from "vitest";
import { createSoarWorld, ROOT, type SoarWorld } from "../src/soar-world.ts";

const BINARY = join(ROOT, "node_modules", ".bin", "soar-base-backup");
const END_OF_TIME = new Date("9999-12-31T00:00:00Z");

/** Keys below `base/` of the world's repository, without its prefix. */
function baseKeys({ s3 }: SoarWorld): string[] {
  return [...s3.objects().keys()].flatMap((key) =>
    key.startsWith("cluster1/base/") ? [key.slice("cluster1/base/".length)] : [],
  );
}

async function openUploads({ s3, settings }: SoarWorld): Promise<string[]> {
  const store = openStore({
    url: settings["BACKUP_BUCKET"] ?? "",
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    credentials: s3,
  });
  try {
    return await store.abortStaleUploads("base/", END_OF_TIME);
  } finally {
    await store.close();
  }
}

test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
  "%s in the middle of a backup leaves nothing that looks like one, and the next run cleans up",
  { timeout: 120_000 },
  async (signal) => {
    await using world = await createSoarWorld({ installation: requireInstallation() });
    const stall = world.s3.inject({
      operation: "UploadPart",
      key: /\/base\//,
      skip: 1,
      times: "always",
      fault: { type: "stall" },
    });
    const child = spawn(BINARY, ["--env-file", world.envFile, "--compression", "none"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    await stall.firstHit;
    child.kill(signal);
    const status = await ended;
    stall.remove();
    stall.release();
    expect(baseKeys(world).some((key) => key.endsWith("backup.json"))).toBe(false);
    if (signal !== "SIGKILL") {
      expect(status, stderr).toBe(4);
      expect(await openUploads(world)).toEqual([]);
    }
    const listed = await world.run("soar-base-backup", ["list"]);
    expect(listed.stdout).toContain("unfinished");

    const next = await world.run("soar-base-backup", []);
    expect(next, next.stderr).toMatchObject({ status: 0 });
    expect(next.stderr).toContain("removed what the interrupted backup");
    expect(new Set(baseKeys(world).map((key) => key.split("/")[0])).size).toBe(1);
    expect(await openUploads(world)).toEqual([]);
  },
);
