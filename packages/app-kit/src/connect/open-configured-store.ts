import { SoarError } from "@soar/errors";
import type { NamedSetting, ObjectStore, StoreConfig, StoreEvent } from "@soar/storage";
import type { Log } from "../screen/log.ts";
import { formatDuration } from "../screen/measures.ts";
import type { Config } from "../options/option-table.ts";
import { readCertificates } from "./postgres-connection.ts";
import { proxyOf } from "./store-proxy.ts";
import { renewableCredentials } from "./store-credentials.ts";
import { storageOptions } from "../options/storage-options.ts";

/** Hints of the storage package name settings by the variables that an operator knows. */
const SETTING_NAMES = {
  url: storageOptions.bucket.env,
  endpoint: storageOptions.endpoint.env,
  region: storageOptions.region.env,
  accessKeyId: storageOptions["access-key-id"].env,
  secretAccessKey: storageOptions["secret-access-key"].env,
  sessionToken: storageOptions["session-token"].env,
  allowHttp: storageOptions["allow-http"].env,
  caPem: storageOptions["ca-file"].env,
  proxy: storageOptions.proxy.env,
  listingOrder: storageOptions["listing-order"].env,
} as const satisfies Readonly<Record<NamedSetting, string>>;

export type StorageSettings = Config<typeof storageOptions>;

export interface OpenStoreOptions {
  /** Gets retries that go on for a while, and what the store found out about the provider. */
  readonly log?: Log;
  readonly onEvent?: (event: StoreEvent) => void;
  /** The env file that was read, undefined for none: keys that stand there are renewed there, while any command runs. */
  readonly envFile: string | undefined;
  /** What the command wants otherwise than the default: deadlines, a rate limit, what an earlier probe found. */
  readonly overrides?: Partial<StoreConfig>;
}

/**
 * Opens the configured store. The storage package, and with it the SDK, is loaded only here: commands that need no store
 * do not pay for it.
 *
 * Throws `CONFIG_INVALID` for settings that do not fit together, `FILE_UNREADABLE` for the CA file, and what `openStore`
 * throws.
 */
export async function openConfiguredStore(settings: StorageSettings, options: OpenStoreOptions): Promise<ObjectStore> {
  const config = { ...storeConfigOf(settings, process.env, options.envFile), ...options.overrides };
  const { openStore } = await import("./lazy-storage.ts");
  return openStore(config, {
    onEvent(event) {
      if (options.log !== undefined) logStoreEvent(options.log, event);
      options.onEvent?.(event);
    },
  });
}

/** The settings as the storage package wants them. With `envFile`, keys that stand there are looked for again there. */
export function storeConfigOf(
  settings: StorageSettings,
  environment: Readonly<Record<string, string | undefined>>,
  envFile?: string,
): StoreConfig {
  return {
    url: settings.bucket,
    provider: providerOf(settings, environment),
    endpoint: settings.endpoint,
    region: settings.region,
    credentials: renewableCredentials(settings, envFile, environment),
    pathStyle: settings.pathStyle,
    serverSideEncryption: encryptionOf(settings),
    storageClass: settings.storageClass,
    caPem: settings.caFile === undefined ? undefined : readCertificates(settings.caFile, SETTING_NAMES.caPem),
    proxy: proxyOf(settings, environment),
    allowHttp: settings.allowHttp,
    habits: habitsOf(settings),
    retry: { deadlineMs: settings.retryDeadlineMs },
    settingNames: SETTING_NAMES,
  };
}

/** One 503 is everyday life with some providers; from the third attempt on a person wants to know why it takes long. */
export function logStoreEvent(log: Log, event: StoreEvent): void {
  if (event.type === "retry") {
    const message = `attempt ${event.attempt} of ${event.operation} '${event.key}' failed, next in ${formatDuration(event.delayMs)}: ${event.error.message}`;
    if (event.attempt >= 3) log.warn(message);
    else log.debug(message);
  } else if (event.type === "habit-learned") {
    const reason = event.fact === undefined ? "" : `, because the provider said: ${event.fact}`;
    log.debug(`${event.text}${reason}`);
  }
  // A store that gave up throws, and the error says all of it.
}

/**
 * Without an endpoint an s3:// bucket is Amazon's, and a missing line must not send backups there by accident: that needs
 * `BACKUP_PROVIDER=aws`, or a region, as in the specification's sample; credentials alone are those of any provider. `SOAR_REQUIRE_ENDPOINT=1`, set by
 * every test, refuses even then, so that no test can ever reach a real provider.
 */
function providerOf(
  settings: StorageSettings,
  environment: Readonly<Record<string, string | undefined>>,
): StorageSettings["provider"] {
  if (!settings.bucket.startsWith("s3:") || settings.endpoint !== undefined) return settings.provider;
  if (environment["SOAR_REQUIRE_ENDPOINT"] === "1") {
    throw new SoarError(
      "CONFIG_INVALID",
      `unable to open '${settings.bucket}': AWS_ENDPOINT_URL is not set, and SOAR_REQUIRE_ENDPOINT=1 forbids the providers' own endpoints`,
      {
        hint: "Set AWS_ENDPOINT_URL to the endpoint of the test server.",
      },
    );
  }
  if (settings.provider !== undefined) return settings.provider;
  if (settings.region !== undefined) return "aws";
  throw new SoarError("CONFIG_INVALID", `unable to open '${settings.bucket}': it is not said which provider holds it`, {
    hint: "Set AWS_ENDPOINT_URL to the provider's endpoint, or BACKUP_PROVIDER=aws and AWS_DEFAULT_REGION for Amazon S3.",
  });
}

/** What the operator knows of the server; the rest is found out. */
function habitsOf({ maxParts, payloadSignature, listingOrder }: StorageSettings): StoreConfig["habits"] {
  return {
    ...(maxParts !== undefined && { maxParts }),
    ...(payloadSignature !== undefined && { payloadSignature }),
    ...(listingOrder !== undefined && { listingOrder }),
  };
}

function encryptionOf({ sse, sseKmsKeyId }: StorageSettings): StoreConfig["serverSideEncryption"] {
  if (sseKmsKeyId !== undefined && sse !== "aws:kms") {
    throw new SoarError("CONFIG_INVALID", "unable to use BACKUP_SSE_KMS_KEY_ID: BACKUP_SSE is not aws:kms", {
      hint: "Set BACKUP_SSE=aws:kms, or remove the key.",
    });
  }
  if (sse === "aws:kms") return { mode: sse, keyId: sseKmsKeyId };
  return sse === undefined ? undefined : { mode: sse };
}
