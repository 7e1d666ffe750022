import type { StoreCredentials } from "../../store-config.ts";
import {
  createCredentialChain,
  type CredentialChain,
  type Identity,
  type IdentityProvider,
} from "./credential-chain.ts";
import { registerCredentials, type S3Settings } from "./settings.ts";

type AskForCredentials = () => Promise<StoreCredentials>;

/** Credentials of the configuration. */
export function fixedIdentity({ accessKeyId, secretAccessKey, sessionToken }: StoreCredentials): Identity {
  return sessionToken === undefined ? { accessKeyId, secretAccessKey } : { accessKeyId, secretAccessKey, sessionToken };
}

/** Asks the caller's function with the first request, and keeps the answer unless it failed. */
function askedOnce(ask: AskForCredentials): IdentityProvider {
  let answer: Identity | undefined;
  return async () => {
    if (answer !== undefined) return answer;
    const credentials = await ask();
    registerCredentials(credentials);
    answer = fixedIdentity(credentials);
    return answer;
  };
}

/**
 * The credentials of the machine, as the SDK finds them. It is loaded with the first request that needs them: it takes more time
 * than everything else that an archive command does.
 */
export function standardIdentities(settings: S3Settings): IdentityProvider {
  let found: Promise<IdentityProvider> | undefined;
  return async (options) => {
    found ??= import("./standard-chain.ts").then(({ openStandardChain }) => openStandardChain(settings));
    return (await found)(options);
  };
}

/** Credentials that may change: from the caller's function, or from the standard chain. */
export function chainOf(ask: AskForCredentials | undefined, openStandard: () => IdentityProvider): CredentialChain {
  return createCredentialChain(ask === undefined ? openStandard : () => askedOnce(ask));
}
