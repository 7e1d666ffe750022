import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { Examination } from "@soar/verify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { startTailShipping } from "../src/tail.ts";

let world: SoarWorld;
beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation(), initdbArgs: ["--wal-segsize=1"] });
});
afterAll(() => world[Symbol.asyncDispose]());

/** What the doctor says of the resident archiver's socket. */
async function examineArchiver(): Promise<Partial<Examination> | undefined> {
  const settings = { BACKUP_TEMP_DIR: world.directory };
  const { stdout, stderr } = await world.run("soar-backup-verify", ["doctor", "--json", "--no-round-trip"], {
    settings,
  });
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { examinations: Examination[] }).examinations.find(({ kind }) =>
    /^archiver-(?!service)/.test(kind),
  );
}

test("the doctor tells an archiver that answers from one that is stopped, dead, or never was", async () => {
  expect(await examineArchiver()).toMatchObject({ kind: "archiver-absent", severity: "notice" });
  const archiver = startTailShipping(world);
  await expect.poll(async () => (await examineArchiver())?.kind, { timeout: 30_000 }).toBe("archiver-answers");
  const deaf = {
    kind: "archiver-deaf",
    severity: "warning",
    what: expect.stringContaining("nobody answers there") as string,
    advice: expect.stringContaining("systemctl restart soar-wal-archive.service") as string,
  };
  archiver.kill("SIGSTOP");
  expect(await examineArchiver()).toMatchObject(deaf);
  archiver.kill("SIGCONT");
  expect(await examineArchiver()).toMatchObject({ kind: "archiver-answers", severity: "ok" });
  archiver.kill("SIGKILL");
  await archiver.result;
  expect(await examineArchiver()).toMatchObject(deaf);
  const socket = join(world.settings["BACKUP_SPOOL_DIR"] ?? "", "socket");
  rmSync(socket);
  writeFileSync(socket, "");
  expect(await examineArchiver()).toMatchObject({
    kind: "archiver-deaf",
    what: expect.stringContaining("is no socket") as string,
  });
});
