/** What a server does with "only if absent"; see `StoreFeatures`. */
export type ConditionalPut = "honoured" | "refused" | "ignored" | "unknown";

/** What S3 servers differ in beyond their documented limits: found out by a refusal, or by `probeServer`. */
export interface ServerHabits {
  /** "Only if absent" of a put in one request. */
  readonly conditionalPut: ConditionalPut;
  /**
   * Whether the server refuses one of two such puts at whatever moments they overlap. Where it judges when a put begins,
   * both succeed.
   */
  readonly atomicPut: "yes" | "no" | "unknown";
  /** "Only if absent" of an upload in parts, which the server judges at its completion. */
  readonly conditionalComplete: ConditionalPut;
  /** Largest number of a part. */
  readonly maxParts: number;
  /** Several removals in one request. */
  readonly batchDelete: "taken" | "refused";
  /** What binds a stored body to the signature: its MD5 as a signed header, or its SHA-256. */
  readonly payloadSignature: "md5" | "sha256";
  /** The header Content-MD5. */
  readonly contentMd5: "taken" | "refused";
  /** `Expect: 100-continue` before a large body. One that is overlooked costs a second each time. */
  readonly expectContinue: "taken" | "refused" | "ignored";
  /**
   * Whether listings are in the order of keys, as S3 promises, in one of the server's own, or nobody has seen. Only the first
   * may be asked for behind a key, or be given before its end is there.
   */
  readonly listingOrder: "keys" | "other" | "unknown";
  /**
   * Whether uploads of other writers are ended before an own one is completed, or left, because they may not, or cannot, be
   * listed and aborted. Known of a key, not of a server.
   */
  readonly rivalUploads: "ended" | "left";
}

export type HabitName = keyof ServerHabits;

/** What was found out at an earlier time; what is left out, or undefined, was not. */
export type RecalledHabits = { readonly [N in HabitName]?: ServerHabits[N] | undefined };

/** A habit that the server was found to have, and its words for it. */
export interface LearnedHabit<N extends HabitName = HabitName> {
  readonly habit: N;
  readonly way: ServerHabits[N];
  /** The refusal that showed it; undefined where none did. */
  readonly fact: string | undefined;
  /** The way in words, for logs and diagnoses. */
  readonly text: string;
}

const WORDS: Readonly<Record<HabitName, (way: string | number) => string>> = {
  conditionalPut: (way) => `'only if absent' of a put is ${way}`,
  atomicPut: (way) =>
    way === "yes"
      ? "of two overlapping puts 'only if absent' one is refused"
      : "two overlapping puts 'only if absent' both succeed: what is stored is looked at afterwards",
  conditionalComplete: (way) => `'only if absent' of an upload in parts is ${way}`,
  maxParts: (way) => `uploads have at most ${way} parts`,
  batchDelete: (way) => (way === "taken" ? "objects are removed in batches" : "objects are removed one by one"),
  payloadSignature: (way) => `stored bodies are signed by their ${way === "md5" ? "MD5" : "SHA-256"}`,
  contentMd5: (way) => (way === "taken" ? "bodies carry Content-MD5" : "bodies carry no Content-MD5"),
  expectContinue: (way) =>
    way === "taken" ? "large bodies wait for '100 Continue'" : `'Expect: 100-continue' is ${way} and left out`,
  listingOrder: (way) =>
    way === "other" ? "listings have an order of their own and are sorted here" : "listings are in the order of keys",
  rivalUploads: (way) =>
    way === "left"
      ? "uploads of other writers cannot be listed and ended: two writers at the same moment are detected, but not prevented"
      : "uploads of other writers of an object are ended",
};

/** The way of a habit in words. */
export function describeHabit<N extends HabitName>(habit: N, way: ServerHabits[N]): string {
  return WORDS[habit](way);
}
