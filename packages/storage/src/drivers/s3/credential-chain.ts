import { AsyncLocalStorage } from "node:async_hooks";
import { S3Failure } from "./wire.ts";

/** What requests are signed with, as the SDK wants it. */
export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Undefined where nobody knows; the server's refusal is then the first to tell. */
  readonly expiration?: Date;
}

export type IdentityProvider = (options?: Record<string, unknown>) => Promise<Identity>;

/** What a request was signed with; for several, the newest of them. */
export interface Signed {
  identity?: Identity | undefined;
}

/** What became of looking for credentials anew: others than those that were refused, the same (still valid or not), or none. */
export type Renewal = "others" | "same" | "lapsed" | { readonly failure: unknown };

/** Credentials that change while a process runs: they expire, and somebody renews them. */
export interface CredentialChain {
  readonly provide: IdentityProvider;
  /** Counts the credentials that requests were signed with, one after the other. */
  readonly generation: () => number;
  /** Runs requests, and writes into `signed` what they are signed with. */
  readonly signing: <T>(signed: Signed, run: () => Promise<T>) => Promise<T>;
  /** Looks for other credentials than those that were refused, once for all requests that want it at the same time. */
  readonly renew: (refused: Signed) => Promise<Renewal>;
  /** A request that they signed was answered. */
  readonly worked: () => void;
  /** What a refusal for the credentials means that no others cure; `failure` is why none could be had. */
  readonly explain: (refusal: S3Failure, failure?: unknown) => S3Failure;
}

/**
 * Keeps what `open` finds until it expires, or until others are found after a refusal. What has worked in this process comes
 * back: a renewal that fails, or that brings what was refused already, is trouble that passes, and whoever waits for an
 * answer may wait for it.
 */
export function createCredentialChain(open: () => IdentityProvider): CredentialChain {
  const signer = new AsyncLocalStorage<Signed>();
  let chain = open();
  let generation = 0;
  let hasWorked = false;
  let last: Identity | undefined;
  let looking: Promise<Renewal> | undefined;
  const take = (identity: Identity): void => {
    if (last === undefined || !isSame(identity, last)) generation += 1;
    last = identity;
  };
  const look = async (): Promise<Renewal> => {
    const candidate = open();
    let found: Identity;
    try {
      found = await candidate();
    } catch (failure) {
      return { failure };
    }
    const before = generation;
    take(found);
    if (generation === before) return hasEnded(found) ? "lapsed" : "same";
    chain = candidate;
    return "others";
  };
  return {
    async provide(options) {
      const asked = chain;
      let identity: Identity;
      try {
        identity = await asked(options);
        if (asked === chain) take(identity);
      } catch (error) {
        if (last?.expiration === undefined || hasEnded(last)) throw failureOfChain(error, hasWorked);
        identity = last;
      }
      Object.assign(signer.getStore() ?? {}, { identity });
      return identity;
    },
    generation: () => generation,
    signing: (signed, run) => signer.run(signed, run),
    async renew({ identity }) {
      const hasOthers = (): boolean => identity !== undefined && last !== undefined && !isSame(identity, last);
      if (hasOthers()) return "others";
      looking ??= look().finally(() => (looking = undefined));
      const renewal = await looking;
      return hasOthers() ? "others" : renewal;
    },
    worked: () => void (hasWorked = true),
    explain(refusal, failure) {
      if (!hasWorked) return refusal;
      return failure instanceof Error ? notRenewed(failure.message, failure) : notRenewed(refusal.message, refusal);
    },
  };
}

function hasEnded({ expiration }: Identity): boolean {
  return expiration !== undefined && expiration.getTime() <= Date.now();
}

function isSame(one: Identity, other: Identity): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  );
}

/** The chain's last word when no link of it had anything. */
const NOTHING_FOUND = /could not load credentials from any providers/i;

function failureOfChain(error: unknown, hasWorked: boolean): unknown {
  if (!(error instanceof Error)) return error;
  if (hasWorked) return notRenewed(error.message, error);
  if (NOTHING_FOUND.test(error.message)) return error;
  const { httpStatusCode: status = 0 } = (error as { $metadata?: { httpStatusCode?: number } }).$metadata ?? {};
  const isRefused = error.name === "CredentialsProviderError" || (status >= 400 && status < 500);
  return new S3Failure(error.message, {
    code: isRefused ? "CredentialsUnreadable" : "CredentialsUnavailable",
    cause: error,
  });
}

function notRenewed(message: string, cause: unknown): S3Failure {
  return new S3Failure(message, { code: "CredentialsNotRenewed", cause });
}
