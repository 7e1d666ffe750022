import { fixedIdentity } from "./identities.ts";
import type { S3Settings } from "./settings.ts";
import type { Transport } from "./transport.ts";

/** What the SDK's client is told: everything that it would otherwise look up in the environment or in files. */
export function sdkConfig(settings: S3Settings, requestHandler: Transport) {
  return {
    endpoint: settings.endpoint,
    region: settings.region,
    forcePathStyle: settings.pathStyle,
    // Others come from a chain.
    ...(typeof settings.credentials === "object" && { credentials: fixedIdentity(settings.credentials) }),
    requestHandler,
    requestChecksumCalculation: "WHEN_REQUIRED" as const,
    responseChecksumValidation: "WHEN_REQUIRED" as const,
    // The transport adds it where this server is known to take it.
    expectContinueHeader: false,
    maxAttempts: 1,
    retryMode: "standard",
    defaultsMode: "standard" as const,
    disableS3ExpressSessionAuth: true,
    useArnRegion: false,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    userAgentAppId: "soar",
    authSchemePreference: ["aws.auth#sigv4"],
  };
}

/** The fields of a request that say how an object is kept. */
export function encryptionFields({ serverSideEncryption: encryption, storageClass }: S3Settings) {
  const keyId = encryption?.mode === "aws:kms" ? encryption.keyId : undefined;
  // The SDK's list of storage classes is Amazon's; other providers have others.
  return {
    ServerSideEncryption: encryption?.mode,
    SSEKMSKeyId: keyId,
    StorageClass: storageClass as "STANDARD" | undefined,
  };
}
