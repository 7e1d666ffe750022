import type { ControlFile } from "../control-file/control-file.ts";
import { requireMajor } from "../majors/find-major.ts";

/**
 * What one record removes of the states of transactions that nobody asks for any more: files of which every page lies before a page
 * (`xact`, `commit-ts`), before that of a multixact (`offsets`) or before that of a member (`members`, from PostgreSQL 19 on), and those
 * of the members in a stretch, whose numbers began anew behind 2^32 until then (clog.h, commit_ts.h, multixact.h).
 */
export type StateRemoval =
  | { readonly kind: "xact" | "commit-ts"; readonly beforePage: number }
  | { readonly kind: "offsets"; readonly beforeMulti: number }
  | { readonly kind: "members"; readonly from: number; readonly to: number }
  | { readonly kind: "members"; readonly beforeMember: number };

/** `SLRU_PAGES_PER_SEGMENT`. */
const PAGES_PER_FILE = 32;
const STATE_FILE = /^pg_(xact|commit_ts|multixact\/(?:offsets|members))\/([0-9A-F]+)$/;
const KINDS: Readonly<Record<string, StateRemoval["kind"]>> = {
  xact: "xact",
  commit_ts: "commit-ts",
  "multixact/offsets": "offsets",
  "multixact/members": "members",
};

/** What a page of each kind holds: two bits for a transaction, the number of its first member for a multixact, and in 20 bytes 4 members, or 10 for a time of commit. */
const PER_PAGE: Readonly<Record<StateRemoval["kind"], (blockSize: number, multixactOffsetSize: number) => number>> = {
  xact: (blockSize) => blockSize * 4,
  "commit-ts": (blockSize) => Math.floor(blockSize / 10),
  offsets: (blockSize, multixactOffsetSize) => blockSize / multixactOffsetSize,
  members: (blockSize) => Math.floor(blockSize / 20) * 4,
};

/** Of a file that holds states of transactions: which, and the first of them, counted as they are numbered. */
export interface StateFile {
  readonly kind: StateRemoval["kind"];
  readonly firstPage: number;
  /** Transactions, multixacts or members of one page. */
  readonly perPage: number;
  /** Their numbers begin anew behind 2^32, so that before is a matter of half of that (slru.c). */
  readonly isCircular: boolean;
}

/** Undefined for files of any other name, relative to the data directory. */
export function parseStateFile(
  name: string,
  { blockSize, pgMajor }: Pick<ControlFile, "blockSize" | "pgMajor">,
): StateFile | undefined {
  const [, directory = "", digits = ""] = STATE_FILE.exec(name) ?? [];
  const kind = KINDS[directory];
  if (kind === undefined) return undefined;
  const { multixactOffsetSize } = requireMajor(pgMajor);
  return {
    kind,
    firstPage: Number.parseInt(digits, 16) * PAGES_PER_FILE,
    perPage: PER_PAGE[kind](blockSize, multixactOffsetSize),
    isCircular: kind !== "members" || multixactOffsetSize === 4,
  };
}

/** How far a number of a state lies behind another one; negative where it lies before it. */
export function stateDistance({ isCircular }: Pick<StateFile, "isCircular">, from: number, to: number): number {
  return isCircular ? (to - from) | 0 : to - from;
}

/** Whether a file may be gone by a removal. */
export function isRemovedBy(file: StateFile, removal: StateRemoval): boolean {
  const { kind, firstPage, perPage } = file;
  if (removal.kind !== kind) return false;
  if ("from" in removal) return isWithin(firstPage, removal, perPage);
  const beforePage = pageOf(removal, perPage);
  const precedes = (page: number): boolean => stateDistance(file, beforePage * perPage, page * perPage) < 0;
  // `SlruMayDeleteSegment`: the whole of it.
  return precedes(firstPage) && precedes(firstPage + PAGES_PER_FILE - 1);
}

/** The first page that stays. */
function pageOf(removal: Exclude<StateRemoval, { readonly from: number }>, perPage: number): number {
  if (removal.kind === "offsets") return Math.floor(previousMulti(removal.beforeMulti) / perPage);
  return removal.kind === "members" ? Math.floor(removal.beforeMember / perPage) : removal.beforePage;
}

/** `PerformMembersTruncation` removes from the file of the first member up to that of the last, which stays, round the end of numbers if need be. */
function isWithin(
  firstPage: number,
  { from, to }: { readonly from: number; readonly to: number },
  perPage: number,
): boolean {
  const fileOf = (member: number): number => Math.floor(member / (perPage * PAGES_PER_FILE));
  const [file, first, end] = [firstPage / PAGES_PER_FILE, fileOf(from), fileOf(to)];
  return first <= end ? file >= first && file < end : file >= first || file < end;
}

/** `PreviousMultiXactId`: 0 is none. */
function previousMulti(multi: number): number {
  return multi <= 1 ? 0xffff_ffff : multi - 1;
}
