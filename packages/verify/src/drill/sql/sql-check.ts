/** One query of the operator's file. */
export interface SqlCheck {
  readonly name: string;
  readonly sql: string;
  /** Where it begins in its file, counted from 1. */
  readonly line: number;
  /** Database to ask; that of the drill when undefined. */
  readonly database: string | undefined;
  readonly expectation: Expectation;
}

export type Expectation =
  /** Exactly these lines, columns separated by `|`, as `psql -At` prints them. */
  | { readonly kind: "rows"; readonly rows: readonly string[] }
  /** Anything but an error. */
  | { readonly kind: "runs" }
  /** One number. */
  | { readonly kind: "bound"; readonly side: "at least" | "at most"; readonly value: number }
  /** What the same query gives on production. */
  | { readonly kind: "same" }
  /** One number, not further from production's than this, on the named side. */
  | {
      readonly kind: "number";
      readonly side: "less" | "more" | "different";
      readonly amount: number;
      readonly percent: boolean;
    }
  /** One time, not older than production's by more than this. */
  | { readonly kind: "older"; readonly ms: number };

/** Whether the same query has to be run on production. */
export function needsProduction({ kind }: Expectation): boolean {
  return kind === "same" || kind === "number" || kind === "older";
}
