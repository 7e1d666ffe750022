/** Which way bytes go: from the client to the target, or back. */
export type Direction = "to-target" | "to-client";

/** What the proxy does to a connection. Bytes are counted per connection and direction, from the rule's beginning. */
export type Impairment =
  /** Resets the connection on both sides once that many bytes have passed. */
  | { readonly type: "cut"; readonly afterBytes: number }
  /** Ends it politely on both sides instead. */
  | { readonly type: "end"; readonly afterBytes: number }
  /** Lets no more bytes pass, and says nothing, until the rule is removed. */
  | { readonly type: "stall"; readonly afterBytes: number }
  | { readonly type: "slow"; readonly bytesPerSecond: number }
  /** Holds every piece back that long. */
  | { readonly type: "delay"; readonly ms: number }
  /** Flips one bit of the byte at that offset. */
  | { readonly type: "corrupt"; readonly atByte: number }
  /** Resets new connections before the target hears of them. */
  | { readonly type: "refuse" };

export interface ImpairmentRule {
  /** Both directions unless told. */
  readonly direction?: Direction;
  /** Only this connection, counted from 1 since the proxy started. */
  readonly connection?: number;
  /** Number of connections to impair; all unless told. */
  readonly times?: number;
  readonly impairment: Impairment;
}

/** A rule in force. */
export interface ActiveImpairment {
  readonly rule: ImpairmentRule;
  /** Connections that felt it so far. */
  readonly hits: number;
  /** Resolves when the first connection feels it: for a cut when it is cut, for a stall when bytes are held back. */
  readonly firstHit: Promise<void>;
  /** Ends the impairment; stalled bytes flow again. */
  remove(): void;
}

/** What a relay needs to know of a rule. */
export interface Impediment {
  readonly impairment: Impairment;
  readonly removed: Promise<void>;
  /** Counts the connection as hit, once. */
  readonly hit: (connection: number) => void;
}

export interface ImpairmentBook {
  readonly impair: (rule: ImpairmentRule) => ActiveImpairment;
  /** The first rule that concerns this direction of this connection now. */
  find(connection: number, direction: Direction): Impediment | undefined;
  /** The rules that concern opening this connection. */
  refuses(connection: number): boolean;
  /** Removes all rules. */
  readonly clear: () => void;
}

interface Entry {
  readonly active: ActiveImpairment;
  readonly impediment: Impediment;
  concerns(connection: number): boolean;
}

/** `onImpair` is told of every new rule, so that a cut after 0 bytes meets connections that are idle. */
export function createImpairmentBook(onImpair: () => void): ImpairmentBook {
  const entries = new Set<Entry>();
  const findEntry = (connection: number, wanted: (rule: ImpairmentRule) => boolean): Entry | undefined =>
    [...entries].find((entry) => wanted(entry.active.rule) && entry.concerns(connection));
  return {
    impair(rule) {
      const entry = createEntry(rule, () => void entries.delete(entry));
      entries.add(entry);
      onImpair();
      return entry.active;
    },
    find(connection, direction) {
      return findEntry(
        connection,
        (rule) => rule.impairment.type !== "refuse" && (rule.direction ?? direction) === direction,
      )?.impediment;
    },
    refuses(connection) {
      const entry = findEntry(connection, (rule) => rule.impairment.type === "refuse");
      entry?.impediment.hit(connection);
      return entry !== undefined;
    },
    clear() {
      for (const { active } of entries) active.remove();
    },
  };
}

function createEntry(rule: ImpairmentRule, forget: () => void): Entry {
  const first = Promise.withResolvers<void>();
  const removed = Promise.withResolvers<void>();
  const felt = new Set<number>();
  const hit = (connection: number): void => {
    felt.add(connection);
    first.resolve();
  };
  return {
    active: {
      rule,
      get hits() {
        return felt.size;
      },
      firstHit: first.promise,
      remove() {
        forget();
        removed.resolve();
      },
    },
    impediment: { impairment: rule.impairment, removed: removed.promise, hit },
    concerns: (connection) =>
      (rule.connection === undefined || rule.connection === connection) &&
      (felt.has(connection) || felt.size < (rule.times ?? Infinity)),
  };
}
