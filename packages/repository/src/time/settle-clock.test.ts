import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundsOf } from "./proved-time.ts";
import { settleClock, type SettledClock, type TimeWitnesses } from "./settle-clock.ts";
import { steadyClock } from "./steady-clock.ts";

const DAY_MS = 86_400_000;
const noon = new Date("2025-06-01T12:00:00Z");
const days = (count: number): Date => new Date(noon.getTime() + count * DAY_MS);

interface Said {
  /** Days from noon. */
  readonly machine: number;
  readonly server?: number;
  /** The server is on this machine. */
  readonly isHere?: boolean;
  readonly store?: number;
  readonly stamps?: readonly number[];
}

function settle({ machine, server, isHere = false, store, stamps }: Said, passed = () => 0): SettledClock {
  const clock = days(machine);
  const witnesses: TimeWitnesses = {
    server: server === undefined ? undefined : { name: "S", clock, at: days(server), isOfThisMachine: isHere },
    store: store === undefined ? undefined : { name: "B", clock, at: days(store) },
    stamps: stamps && boundsOf(stamps.map(days)),
  };
  return settleClock(
    steadyClock(() => clock, passed),
    witnesses,
  );
}

const NEWEST = "the newest stamp in the repository";

describe("a run is named and dated", () => {
  test.each<[string, Said, string | undefined, number]>([
    ["by this machine's clock where nobody contradicts it", { machine: 0 }, undefined, 0],
    ["by this machine's where all agree", { machine: 0, server: 0, store: 0, stamps: [-1] }, undefined, 0],
    ["by the server's where the store agrees with it: ahead", { machine: 400, server: 0, store: 0 }, "S", 0],
    ["by the server's where the store agrees with it: behind", { machine: -400, server: 0, store: 0 }, "S", 0],
    ["by this machine's where the server agrees with it", { machine: 0, server: 0, store: 400 }, undefined, 0],
    ["by this machine's where the store agrees with it", { machine: 0, server: -400, store: 0 }, undefined, 0],
    [
      "by the store's where the server is on this machine",
      { machine: 400, server: 400, isHere: true, store: 0 },
      "B",
      0,
    ],
    ["by the store's of two: behind", { machine: -400, store: 0 }, "B", 0],
    ["by the median of three that all differ", { machine: 400, server: 0, store: -3 }, "S", 0],
    ["by the server's where nothing else is there: ahead", { machine: 400, server: 0, isHere: true }, "S", 0],
    ["by the earlier of two, if nothing stored is newer", { machine: 0, server: 400, stamps: [-1] }, undefined, 0],
    ["by the one that is not behind what is stored", { machine: -400, server: 0, stamps: [-1] }, "S", 0],
    ["by the newest stamp, if all are behind it", { machine: -400, server: -9, stamps: [-3, -2, -1] }, NEWEST, -1],
    [
      "by the newest stamp, if one machine is behind it",
      { machine: -9, server: -9, isHere: true, stamps: [-1] },
      NEWEST,
      -1,
    ],
    ["by two that agree, against a stamp", { machine: 0, server: 0, stamps: [400] }, undefined, 0],
    [
      "by this machine's, if a clock that leapt has stored since",
      { machine: 0, stamps: [-3, -2, -1, 400, 401] },
      undefined,
      0,
    ],
    [
      "by the newest stamp, if the clock is behind such a leap, too",
      { machine: -9, stamps: [-3, -2, -1, 400] },
      NEWEST,
      400,
    ],
  ])("%s", (_, said, goesBy, day) => {
    const settled = settle(said);
    expect(settled.goesBy).toBe(goesBy);
    expect(settled.now()).toEqual(days(day));
  });

  test("by a clock that goes on with the time that passes, and says what was done to this machine's", () => {
    let passed = 0;
    const settled = settle({ machine: 400, server: 0, store: 0 }, () => passed);
    passed = 3_600_000;
    expect(settled.now()).toEqual(new Date(noon.getTime() + 3_600_000));
    expect(settled.jump()).toBe("this machine's clock was set 60 minutes back while this ran");
  });

  test("within minutes of two of the three, whatever the third says, and no earlier than what is stored", () => {
    const clock = fc.integer({ min: -500, max: 500 });
    fc.assert(
      fc.property(clock, fc.constantFrom("machine", "server", "store"), fc.nat(600), (wrong, whose, seconds) => {
        const right = { machine: 0, server: seconds / 86_400, store: -seconds / 86_400, stamps: [-1] };
        const { now } = settle({ ...right, [whose]: wrong });
        expect(Math.abs(now().getTime() - noon.getTime())).toBeLessThanOrEqual(900_000);
      }),
    );
  });
});

test("every clock that contradicts this machine's is a doubt, and so is a stamp of its future", () => {
  expect(settle({ machine: 0, server: 0, store: 0, stamps: [-5] }).doubts).toEqual([]);
  expect(settle({ machine: 0, server: 3, store: -2, stamps: [1] }).doubts).toEqual([
    expect.stringMatching(/^S was 3 days ahead of this machine's/),
    expect.stringMatching(/^B was 2 days behind this machine's/),
    expect.stringMatching(/^the clock that stamped the newest object in the repository was 24 hours ahead/),
  ]);
});
