import type { StoreCredentials } from "../../store-config.ts";
import {
  createCredentialChain,
  type CredentialChain,
  type Identity,
  type IdentityProvider,
} from "./credential-chain.ts";
import { registerCredentials, type S3Settings } from "./settings.ts";

/** Credentials of the configuration as the SDK wants them. */
export function fixedIdentity({ accessKeyId, secretAccessKey, sessionToken }: StoreCredentials): Identity {
  return sessionToken === undefined ? { accessKeyId, secretAccessKey } : { accessKeyId, secretAccessKey, sessionToken };
}

/** Asks the caller's function with the first request, and keeps the answer unless it failed. */
function askedOnce(ask: () => Promise<StoreCredentials>): IdentityProvider {
  let answer: Identity | undefined;
  return async () => {
    if (answer !== undefined) return answer;
    const credentials = await ask();
    registerCredentials(credentials);
    answer = fixedIdentity(credentials);
    return answer;
  };
}

/** The SDK would keep an identity without an end for ever; this mark tells it that somebody else does the keeping. */
export function unmemoized({ provide }: CredentialChain): IdentityProvider & { memoized: boolean } {
  return Object.assign(((options) => provide(options)) satisfies IdentityProvider, { memoized: true });
}

/** Where the credentials may change: from the caller's function, or from the standard chain. Undefined where they are fixed. */
export function chainOf(
  { credentials }: Pick<S3Settings, "credentials">,
  openStandard: () => IdentityProvider,
): CredentialChain | undefined {
  if (typeof credentials === "object") return undefined;
  return createCredentialChain(credentials === undefined ? openStandard : () => askedOnce(credentials));
}
