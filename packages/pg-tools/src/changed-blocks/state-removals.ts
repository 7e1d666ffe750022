/**
 * What one record removes of the states of transactions that nobody asks for any more: files of which every page lies before a page
 * (`xact`, `commit-ts`) or before that of a multixact (`offsets`), and those of the members in a stretch (clog.h, commit_ts.h, multixact.h).
 */
export type StateRemoval =
  | { readonly kind: "xact" | "commit-ts"; readonly beforePage: number }
  | { readonly kind: "offsets"; readonly beforeMulti: number }
  | { readonly kind: "members"; readonly from: number; readonly to: number };

/** `SLRU_PAGES_PER_SEGMENT`. */
const PAGES_PER_FILE = 32;
const STATE_FILE = /^pg_(xact|commit_ts|multixact\/(?:offsets|members))\/([0-9A-F]+)$/;
const KINDS: Readonly<Record<string, StateRemoval["kind"]>> = {
  xact: "xact",
  commit_ts: "commit-ts",
  "multixact/offsets": "offsets",
  "multixact/members": "members",
};

/** What a page of each kind holds: two bits for a transaction, 4 bytes for a multixact, and in 20 bytes 4 members, or 10 for a time of commit. */
const PER_PAGE: Readonly<Record<StateRemoval["kind"], (blockSize: number) => number>> = {
  xact: (blockSize) => blockSize * 4,
  "commit-ts": (blockSize) => Math.floor(blockSize / 10),
  offsets: (blockSize) => blockSize / 4,
  members: (blockSize) => Math.floor(blockSize / 20) * 4,
};

/** Of a file that holds states of transactions: which, and the first of them, counted as they are numbered. */
export interface StateFile {
  readonly kind: StateRemoval["kind"];
  readonly firstPage: number;
  /** Transactions, multixacts or members of one page. */
  readonly perPage: number;
}

/** Undefined for files of any other name, relative to the data directory. */
export function parseStateFile(name: string, blockSize: number): StateFile | undefined {
  const [, directory = "", digits = ""] = STATE_FILE.exec(name) ?? [];
  const kind = KINDS[directory];
  if (kind === undefined) return undefined;
  return { kind, firstPage: Number.parseInt(digits, 16) * PAGES_PER_FILE, perPage: PER_PAGE[kind](blockSize) };
}

/** Whether a file may be gone by a removal. Numbers begin anew behind 2^32, so that before is a matter of half of that (slru.c). */
export function isRemovedBy({ kind, firstPage, perPage }: StateFile, removal: StateRemoval): boolean {
  if (removal.kind !== kind) return false;
  if (removal.kind === "members") return isWithin(firstPage, removal, perPage);
  const beforePage =
    removal.kind === "offsets" ? Math.floor(previousMulti(removal.beforeMulti) / perPage) : removal.beforePage;
  const precedes = (page: number): boolean => (((page - beforePage) * perPage) | 0) < 0;
  // `SlruMayDeleteSegment`: the whole of it.
  return precedes(firstPage) && precedes(firstPage + PAGES_PER_FILE - 1);
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
