import { S3Client } from "@aws-sdk/client-s3";
import type { IdentityProvider } from "./credential-chain.ts";
import type { S3Settings } from "./settings.ts";

/** Handed on to what reads profile files, which otherwise happens once in the life of a process. */
const READING_FILES_ANEW: object = { ignoreCache: true };

/**
 * The SDK's standard chain: environment, profile files, single sign-on, web identities, and the machine's role. The one place
 * that knows the SDK, of which a client lets nothing else be seen.
 */
export function openStandardChain({ endpoint, region }: Pick<S3Settings, "endpoint" | "region">): IdentityProvider {
  const config = { endpoint, region, maxAttempts: 1, defaultsMode: "standard" as const, userAgentAppId: "soar" };
  return new S3Client({ ...config, ...READING_FILES_ANEW }).config.credentials;
}
