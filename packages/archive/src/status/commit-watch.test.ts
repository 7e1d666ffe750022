import { describe, expect, test } from "vitest";
import { createPositionHistory } from "../server-wal/position-history.ts";
import { createCommitWatch, type CommitEvent, type CommitLook } from "./commit-watch.ts";

/** The server's WAL and the looks at it by the second; gives what was told, and when. */
function watchSeconds(looks: readonly { lsn: bigint; confirmed?: bigint; look: Omit<CommitLook, "atMs"> }[]): {
  told: string[];
  events: CommitEvent[];
  waiting: number[];
} {
  const history = createPositionHistory();
  const [told, events, waiting]: [string[], CommitEvent[], number[]] = [[], [], []];
  let second = 0;
  const watch = createCommitWatch(history, (event) => {
    told.push(`${second} ${event.type}`);
    events.push(event);
  });
  for (const { lsn, confirmed, look } of looks) {
    history.add(lsn, second * 1000);
    if (confirmed !== undefined) watch.note({ type: "tail-confirmed", lsn: confirmed });
    watch.look({ ...look, atMs: second * 1000 });
    waiting.push(watch.held(second * 1000).waitingSeconds);
    second += 1;
  }
  return { told, events, waiting };
}

const named = (sessions: number | undefined): Omit<CommitLook, "atMs"> => ({ isNamed: true, sessions });

describe("commits that wait for the bucket", () => {
  test("are told of after five seconds, again every minute, and when they go on, with how long they had waited", () => {
    const stalled = Array.from({ length: 130 }, () => ({ lsn: 200n, look: named(2) }));
    const { told, events, waiting } = watchSeconds([
      { lsn: 100n, confirmed: 100n, look: named(0) },
      ...stalled,
      { lsn: 200n, confirmed: 200n, look: named(0) },
    ]);
    expect(told).toEqual(["6 commits-held", "66 commits-held", "126 commits-held", "131 commits-released"]);
    expect(events[0]).toEqual({ type: "commits-held", waitingSeconds: 5, sessions: 2 });
    expect(events.at(-1)).toMatchObject({ waitingSeconds: 129 });
    expect([waiting[0], waiting[4], waiting[131]]).toEqual([0, 3, 0]);
  });

  test("are not told of while each of them waits only for its own piece", () => {
    const busy = Array.from({ length: 60 }, (_, n) => ({
      lsn: BigInt(100 + n),
      confirmed: BigInt(99 + n),
      look: named(3),
    }));
    expect(watchSeconds(busy).told).toEqual([]);
  });

  test("are not told of when the server does not wait for this receiver, or no session does", () => {
    const stalled = (look: Omit<CommitLook, "atMs">) =>
      watchSeconds(Array.from({ length: 30 }, () => ({ lsn: 200n, look }))).told;
    expect(stalled({ isNamed: false, sessions: 3 })).toEqual([]);
    expect(stalled(named(0))).toEqual([]);
    expect(stalled(named(1))).toEqual(["5 commits-held"]);
    // A role that cannot see other sessions must not be silent.
    expect(stalled(named(undefined))).toEqual(["5 commits-held"]);
  });

  test("are over at once when the server was told not to wait any more", () => {
    const stalled = Array.from({ length: 10 }, () => ({ lsn: 200n, look: named(1) }));
    expect(watchSeconds([...stalled, { lsn: 200n, look: { isNamed: false, sessions: 0 } }]).told).toEqual([
      "5 commits-held",
      "10 commits-released",
    ]);
  });

  test("a new timeline that begins further back does not hide those that wait on it", () => {
    const history = createPositionHistory();
    const watch = createCommitWatch(history, () => undefined);
    watch.note({ type: "tail-confirmed", lsn: 500n });
    watch.note({ type: "tail-connected", timeline: 2, startLsn: 300n });
    history.add(400n, 0);
    watch.look({ ...named(1), atMs: 0 });
    expect(watch.held(4_000).waitingSeconds).toBe(4);
  });
});

test("a clock that is set back hides no commit that waits, nor how long it has", () => {
  const DAY_MS = 86_400_000;
  const history = createPositionHistory();
  const events: CommitEvent[] = [];
  const watch = createCommitWatch(history, (event) => events.push(event));
  for (let second = 0; second < 10; second += 1) {
    const atMs = second * 1000 + (second < 4 ? 400 * DAY_MS : 0);
    history.add(200n, atMs);
    watch.look({ ...named(1), atMs });
  }
  expect(events).toEqual([{ type: "commits-held", waitingSeconds: 5, sessions: 1 }]);
  // Of the last look before the jump and the first behind it, nobody knows what passed in between.
  expect(watch.held(9000).waitingSeconds).toBe(8);
  expect(history.firstBeyond(100n)).toBe(1000);
});
