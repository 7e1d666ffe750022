import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mountHung, type Mounted, requires } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ArchiverWorld,
  createArchiverWorld,
  doneNames,
  eventually,
  killGroup,
  type Started,
} from "./archiver-world.fixture.ts";

/** Whether a thread of any process of a group waits for a FUSE server, as the kernel calls it. */
function waitsForFuse(group: number): boolean {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.some((pid) => {
    const read = (file: string): string => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
      } catch {
        return "";
      }
    };
    if (
      Number(
        read("stat")
          .replace(/^.*\) /s, "")
          .split(" ")[2],
      ) !== group
    )
      return false;
    return readdirSync(`/proc/${pid}/task`).some((thread) => /fuse|request_wait/.test(read(`task/${thread}/wchan`)));
  });
}

const NAME = "000000010000000000000001";
/** Far below the minute that a file may take, and the half that a service manager waits. */
const SOON_MS = 12_000;

describe("a file on a file system that hangs", requires("fuse"), () => {
  let world: ArchiverWorld;
  let hung: Mounted;
  beforeAll(async () => {
    hung = mountHung();
    world = await createArchiverWorld();
  });
  afterAll(async () => {
    hung[Symbol.dispose]();
    await world[Symbol.asyncDispose]();
  });

  const path = (): string => join(hung.path, "pg_wal", NAME);
  const call = (env: Readonly<Record<string, string>> = {}): Started =>
    world.start(["--env-file", world.envFile, path(), NAME], env);
  const ended = async ({ child, ended: end }: Started): Promise<Awaited<Started["ended"]>> => {
    const timer = setTimeout(() => killGroup(child), SOON_MS);
    const result = await end;
    clearTimeout(timer);
    return result;
  };

  test("does not keep archive_command beyond its deadline", async () => {
    expect(await ended(call({ BACKUP_ARCHIVE_TIMEOUT: "1s" }))).toMatchObject({
      status: 20,
      signal: null,
      stderr: expect.stringContaining(`waits for the file system of '${path()}'`) as string,
    });
  });

  test.each(["SIGTERM", "SIGINT", "SIGQUIT"] as const)(
    "does not keep archive_command from ending at %s",
    async (name) => {
      const started = call();
      await eventually("it to wait for the file", () => waitsForFuse(started.child.pid ?? 0));
      killGroup(started.child, name);
      expect(await ended(started)).toMatchObject({ status: 4, signal: null });
    },
  );

  test("does not keep the resident archiver from archiving its own, nor from ending", async () => {
    const daemon = await world.startDaemon();
    // More than there are threads for files.
    const callers = Array.from({ length: 6 }, () => call({ BACKUP_ARCHIVE_TIMEOUT: "1s" }));
    // PostgreSQL waits for the launcher, not for what it leaves: where one thread waits already, the next ones cannot be killed.
    const exits = callers.map(({ child }) => once(child, "exit"));
    await eventually("a caller's directory to be looked up", () => waitsForFuse(daemon.child.pid ?? 0));
    const name = await world.switchWal();
    await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
    expect(await Promise.all(exits)).toEqual(callers.map(() => [20, null]));
    killGroup(daemon.child, "SIGTERM");
    expect(await ended(daemon)).toMatchObject({ status: 0, signal: null });
  });
});
