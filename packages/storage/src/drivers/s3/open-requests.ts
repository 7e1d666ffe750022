import type { CredentialChain } from "./credential-chain.ts";
import { chainOf, fixedIdentity, standardIdentities } from "./identities.ts";
import { createRequests, type S3Requests } from "./requests.ts";
import type { OnDate } from "./requests.ts";
import type { S3Settings } from "./settings.ts";

/** Requests of a bucket with the credentials of the configuration. `chain` is there where they may change. */
export function openRequests(
  settings: S3Settings,
  onDate: OnDate,
): { readonly requests: S3Requests; readonly chain: CredentialChain | undefined } {
  const { credentials } = settings;
  if (typeof credentials === "object") {
    const fixed = Promise.resolve(fixedIdentity(credentials));
    return { requests: createRequests(settings, { identity: () => fixed, onDate }), chain: undefined };
  }
  const chain = chainOf(credentials, () => standardIdentities(settings));
  return { requests: createRequests(settings, { identity: () => chain.provide(), onDate }), chain };
}
