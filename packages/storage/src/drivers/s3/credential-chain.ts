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

/** Credentials that change while a process runs: they expire, and somebody renews them. */
export interface CredentialChain {
  readonly provide: IdentityProvider;
  /** Counts renewals: a request that failed under an older one was signed with credentials of then. */
  readonly generation: () => number;
  /** Looks for credentials anew, unless another request has done so since `seen`. */
  readonly renew: (seen: number) => void;
  /** A request that they signed was answered. */
  readonly worked: () => void;
  /** What a refusal means that a renewal has not cured. */
  readonly explain: (refusal: S3Failure) => S3Failure;
}

/**
 * Keeps what `open` finds until it expires or is refused. What has worked in this process comes back: a renewal that fails,
 * or that brings what was refused already, is trouble that passes, and whoever waits for an answer may wait for it.
 */
export function createCredentialChain(open: () => IdentityProvider): CredentialChain {
  let chain = open();
  let generation = 0;
  let hasWorked = false;
  let last: Identity | undefined;
  return {
    async provide(options) {
      try {
        last = await chain(options);
        return last;
      } catch (error) {
        if (last?.expiration !== undefined && last.expiration.getTime() > Date.now()) return last;
        throw failureOfChain(error, hasWorked);
      }
    },
    generation: () => generation,
    renew(seen) {
      if (seen !== generation) return;
      generation += 1;
      last = undefined;
      chain = open();
    },
    worked: () => void (hasWorked = true),
    explain: (refusal) => (hasWorked ? notRenewed(refusal.message, refusal) : refusal),
  };
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
