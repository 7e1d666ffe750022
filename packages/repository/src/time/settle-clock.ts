import { CLOCK_TOLERANCE_MS, type StampBounds } from "./proved-time.ts";
import { compareClocks, type OtherClock, type SteadyClock } from "./steady-clock.ts";

/** What is known of the time beside the clock of the machine that a run is on. */
export interface TimeWitnesses {
  /** The database server's clock. On this very machine it is the same one, and bears no witness beside it, unless the two differ. */
  readonly server?: (OtherClock & { readonly isOfThisMachine: boolean }) | undefined;
  /** That of the server that keeps the repository. */
  readonly store?: OtherClock | undefined;
  /** When objects of the repository were stored. */
  readonly stamps?: StampBounds | undefined;
}

/** The clock of a run once it was compared with others. */
export interface SettledClock extends SteadyClock {
  /** What it goes by instead of this machine's clock, as the end of a sentence; undefined while it goes by that one. */
  readonly goesBy: string | undefined;
  /** Where clocks contradict each other, as sentences without their stop. */
  readonly doubts: readonly string[];
}

interface Candidate {
  readonly whose: "machine" | "server" | "store";
  /** Undefined for the machine's own. */
  readonly name: string | undefined;
  /** Ahead of the machine's clock, in milliseconds. */
  readonly aheadMs: number;
}

/**
 * The time that a run may name and date things by: the median of machine, server and store. Of two that differ it is the
 * store's, whose stamps everything in the repository is compared by, else the earlier one. No clock is believed that is behind what was stored
 * already, unless another agrees with it; where all are, time is at least the newest stamp, and goes on from there.
 */
export function settleClock(clock: SteadyClock, witnesses: TimeWitnesses): SettledClock {
  const { server, store, stamps } = witnesses;
  const now = clock.now();
  const { name, aheadMs } = choose(candidatesOf(witnesses), now, stamps);
  const others = [server, store].filter((other) => other !== undefined);
  const newest = stamps?.newest;
  // An older one proves nothing.
  const stamped =
    newest === undefined || newest <= now
      ? []
      : [{ name: "the clock that stamped the newest object in the repository", clock: now, at: newest }];
  return {
    now: () => new Date(clock.now().getTime() + aheadMs),
    jump: () => clock.jump(),
    goesBy: name,
    doubts: compareClocks([...others, ...stamped]),
  };
}

function candidatesOf({ server, store }: TimeWitnesses): Candidate[] {
  const candidates: Candidate[] = [{ whose: "machine", name: undefined, aheadMs: 0 }];
  if (server !== undefined && !(server.isOfThisMachine && isEqual(aheadOf(server), 0)))
    candidates.push({ whose: "server", name: server.name, aheadMs: aheadOf(server) });
  if (store !== undefined) candidates.push({ whose: "store", name: store.name, aheadMs: aheadOf(store) });
  return candidates;
}

function choose(candidates: readonly Candidate[], now: Date, stamps: StampBounds | undefined): Candidate {
  const [agreed] = candidates.filter((one) =>
    candidates.some((other) => one !== other && isEqual(one.aheadMs, other.aheadMs)),
  );
  if (agreed !== undefined) return agreed;
  const possible = candidates
    .filter(({ aheadMs }) => !isBehindStamps(now.getTime() + aheadMs, stamps))
    .toSorted((a, b) => a.aheadMs - b.aheadMs);
  const store = possible.find(({ whose }) => whose === "store");
  const chosen = possible.length === 2 ? (store ?? possible[0]) : possible[possible.length >> 1];
  return chosen ?? atStamp(stamps, now);
}

function atStamp(stamps: StampBounds | undefined, now: Date): Candidate {
  return {
    whose: "store",
    name: "the newest stamp in the repository",
    aheadMs: Number(stamps?.newest) - now.getTime(),
  };
}

/** Whether it is earlier than what was stored already. Stamps behind a leap that the time lies in are what is wrong then. */
function isBehindStamps(time: number, stamps: StampBounds | undefined): boolean {
  const isBehind = (stamp: Date | undefined): boolean =>
    stamp !== undefined && stamp.getTime() - time > CLOCK_TOLERANCE_MS;
  return isBehind(stamps?.newest) && isBehind(stamps?.newestBeforeLeap);
}

function aheadOf({ clock, at }: OtherClock): number {
  return at.getTime() - clock.getTime();
}

function isEqual(a: number, b: number): boolean {
  return Math.abs(a - b) <= CLOCK_TOLERANCE_MS;
}
