import { SoarError } from "@soar/errors";
import { expect, test } from "vitest";
import type { ReplayAnswer } from "./look-at-paused.ts";
import { PauseWatch } from "./pause-watch.ts";

const RECOVERING: ReplayAnswer = { recovering: true, state: "not paused", lsn: "0/500", waits: null };
const NO_WORDS = { isPaused: false, isOfServer: false };
const OLD_WORDS = { isPaused: true, isOfServer: false };
const ITS_WORDS = { isPaused: true, isOfServer: true };

/** A server that answers so, and a clock that somebody has to set. */
function watchOf(answer: ReplayAnswer | SoarError) {
  const server = { answer, now: 0 };
  const watch = new PauseWatch({
    dataDir: "/pg",
    backup: { source: "", databases: [], postgresVersion: "15.0" } as never,
    role: "postgres",
    stopLsn: 0x900n,
    segmentSize: 0x1000,
    now: () => server.now,
    ask: async () => {
      if (server.answer instanceof SoarError) throw server.answer;
      return server.answer;
    },
  });
  return { server, watch };
}

test("what the server says is believed, whatever its log says", async () => {
  const { server, watch } = watchOf({ ...RECOVERING, state: "paused", lsn: "0/900" });
  expect(await watch.isPaused(NO_WORDS)).toBe(true);
  for (const answer of [RECOVERING, { ...RECOVERING, recovering: false, state: null }]) {
    server.answer = answer;
    expect(await watch.isPaused(ITS_WORDS)).toBe(false);
  }
});

test.each([
  ["0/8FF", "at 0/8FF, before", /SELECT pg_wal_replay_resume\(\).*pg_ctl -D '\/pg' stop.*give the command again/],
  [null, "at no position, before", /pg_wal_replay_resume/],
  ["0/1901", "at 0/1901, behind", /to begin anew instead, stop it first/],
])("a pause at %s, which is not the target, is not taken for the one there", async (lsn, where, hint) => {
  const { watch } = watchOf({ ...RECOVERING, state: "paused", lsn });
  await expect(watch.isPaused(ITS_WORDS)).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message: `unable to go on with the restore in '/pg': its server pauses, but not at its target: replay stands ${where} the target at 0/900`,
    hint: expect.stringMatching(hint) as string,
  });
});

test("replay that waits and stands ends the wait, and any that moves or works does not", async () => {
  const { server, watch } = watchOf(RECOVERING);
  for (const [now, change] of [
    [60_000, {}],
    [120_000, { waits: "DataFileRead" }],
    [180_000, { waits: "RecoveryApplyDelay", lsn: "0/600" }],
    [189_999, {}],
  ] as const) {
    server.now = now;
    server.answer = { ...(server.answer as ReplayAnswer), ...change };
    expect(await watch.isPaused(NO_WORDS), String(now)).toBe(false);
  }
  server.now = 190_000;
  await expect(watch.isPaused(NO_WORDS)).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message:
      "unable to go on with the restore in '/pg': its server does not pause: it waits by recovery_min_apply_delay, and replay has stood at 0/600, before its target at 0/900 (seen for 10 seconds)",
    hint: expect.stringMatching(/give the command again.*Nothing was changed/) as string,
  });
});

test.each(["RecoveryConflictSnapshot", "RecoveryConflictTablespace", "Lock", "BufferPin", "BufferCleanup"])(
  "replay that a query holds up is let wait for longer than a server leaves one, and not for ever: %s",
  async (waits) => {
    const { server, watch } = watchOf({ ...RECOVERING, waits });
    for (const now of [0, 30_000, 59_999]) {
      server.now = now;
      expect(await watch.isPaused(NO_WORDS), String(now)).toBe(false);
    }
    server.now = 60_000;
    await expect(watch.isPaused(NO_WORDS)).rejects.toMatchObject({
      code: "SERVER_UNSUITABLE",
      message: expect.stringContaining(
        "it waits for sessions whose queries conflict with what it replays, and replay has stood at 0/500, before its target at 0/900 (seen for 60 seconds)",
      ) as string,
      hint: expect.stringMatching(/pg_terminate_backend.*max_standby_archive_delay.*give the command again/) as string,
    });
  },
);

test("replay that has gone on by more than a segment behind its target ends it, too", async () => {
  const { server, watch } = watchOf({ ...RECOVERING, lsn: "0/1900" });
  expect(await watch.isPaused(NO_WORDS)).toBe(false);
  server.answer = { ...RECOVERING, lsn: "0/1901" };
  await expect(watch.isPaused(NO_WORDS)).rejects.toMatchObject({
    message: expect.stringContaining("up to 0/1901, behind its target at 0/900, and goes on") as string,
  });
});

test("one that cannot be asked is judged by its log only where that is its own", async () => {
  const { server, watch } = watchOf(new SoarError("SERVER_UNREACHABLE", "it has no socket", { hint: "" }));
  expect(await watch.isPaused(ITS_WORDS)).toBe(true);
  expect(await watch.isPaused(OLD_WORDS)).toBe(false);
  server.now = 3000;
  expect(await watch.isPaused(ITS_WORDS)).toBe(true);
  await expect(watch.isPaused(OLD_WORDS)).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message: expect.stringContaining(
      "cannot be asked whether it pauses: it has no socket (seen for 3 seconds)",
    ) as string,
  });
});

test("a signal ends it", async () => {
  const { watch } = watchOf(new SoarError("ABORTED", "stopped", { hint: "" }));
  await expect(watch.isPaused(ITS_WORDS)).rejects.toMatchObject({ code: "ABORTED" });
});
