import { renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ArchiverWorld, createArchiverWorld, killGroup } from "./archiver-world.fixture.ts";

let world: ArchiverWorld;
beforeAll(async () => {
  world = await createArchiverWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** The service manager kills after 30 s; files that are in flight get 5 s. */
const SOON_MS = 10_000;

test("SIGTERM ends the resident archiver at every moment of its first two seconds", async () => {
  for (let afterMs = 0; afterMs <= 2_000; afterMs += 80) {
    const daemon = world.start(
      `daemon --env-file ${world.envFile} --data-dir ${world.cluster.dataDir} --listen 127.0.0.1:0 --log-level debug`.split(
        " ",
      ),
    );
    await delay(afterMs);
    const stoppedAt = performance.now();
    killGroup(daemon.child, "SIGTERM");
    const timer = setTimeout(() => killGroup(daemon.child), SOON_MS);
    const { status, signal, stderr } = await daemon.ended;
    clearTimeout(timer);
    const how = `after ${afterMs} ms, ${Math.round(performance.now() - stoppedAt)} ms later:\n${stderr}`;
    // Before there is a handler the signal itself ends it.
    expect([0, 4, "SIGTERM"], how).toContain(signal ?? status);
    expect(performance.now() - stoppedAt, how).toBeLessThan(SOON_MS);
    expect(stderr, how).not.toMatch(/unexpected|BUG/);
  }
});

test("a data directory that goes away ends the resident archiver with its name, and not as a bug", async () => {
  const { dataDir } = world.cluster;
  const daemon = await world.startDaemon();
  renameSync(dataDir, `${dataDir}.away`);
  const timer = setTimeout(() => killGroup(daemon.child), SOON_MS);
  try {
    const { status, stderr } = await daemon.ended;
    expect(stderr).toContain(`unable to read '${join(dataDir, "pg_wal")}`);
    expect(stderr).not.toMatch(/unexpected|bug/i);
    expect(status).toBe(20);
  } finally {
    clearTimeout(timer);
    renameSync(`${dataDir}.away`, dataDir);
  }
});
