import type { FindingKind } from "@soar/verify";

/** What a verification must say of a damaged repository. */
export interface Expectation {
  /** The lowest level that must find it; below it nothing may be wrong. `either`: a matter of which byte it is. */
  readonly level: "quick" | "full" | "either";
  /** One of these kinds. */
  readonly kinds: readonly FindingKind[];
  /** One of these words is in what the finding says. */
  readonly about: readonly string[];
}

/** What a mutation does to the objects; undefined removes one. */
export interface Change {
  readonly objects: ReadonlyMap<string, Buffer | undefined>;
  readonly description: string;
  readonly expected: Expectation;
}
