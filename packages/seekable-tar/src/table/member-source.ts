import type { MemberLocation } from "./row.ts";

/** The members of an archive, whether in memory or to be read where the table is stored. */
export interface MemberSource {
  readonly length: number;
  /** `signal` ends the reading of what is stored. */
  openCursor(signal?: AbortSignal): MemberCursor;
}

export interface MemberCursor {
  /**
   * The member with this number: cheap where the numbers go up. Throws a `RangeError` behind the end, and what reading the table
   * rejects with.
   */
  at(index: number): MemberLocation | Promise<MemberLocation>;
}
