import type { ProviderName } from "./provider-names.ts";
import type { HabitName, ServerHabits } from "./server-habits.ts";

/** Everything that `openStore` needs to know; nothing is read from the environment. */
export interface StoreConfig {
  /** `s3://bucket/prefix`, `file:///absolute/directory`, or `memory:name` (shared within this process, for tests). */
  readonly url: string;
  /**
   * Address of an S3 provider, for example `https://s3.eu-central-003.backblazeb2.com`, without the bucket. Without it
   * `provider` must be "aws": nothing becomes Amazon by omission.
   */
  readonly endpoint?: string | undefined;
  /** Region to sign for; derived from the endpoint where its host tells. */
  readonly region?: string | undefined;
  /**
   * Without them, the SDK's standard chain: environment, profile files, web identity, container and instance roles. A
   * function is called before the first request, and again when the server refuses what it gave, as the chain is.
   */
  readonly credentials?: StoreCredentials | (() => Promise<StoreCredentials>) | undefined;
  /** Row of the provider table; recognised by the endpoint's host when left out. */
  readonly provider?: ProviderName | undefined;
  /** Bucket in the path instead of the host name; by default what the provider's row says, and the path for unknown hosts. */
  readonly pathStyle?: boolean | undefined;
  /** Encryption by the provider: its own keys (SSE-S3) or a key of the key management service (SSE-KMS). */
  readonly serverSideEncryption?:
    | { readonly mode: "AES256" }
    | { readonly mode: "aws:kms"; readonly keyId?: string | undefined }
    | undefined;
  /** For example STANDARD_IA. Archive classes store, but reading from them needs a thaw (`OBJECT_ARCHIVED`). */
  readonly storageClass?: string | undefined;
  /** Certificates of a private CA in PEM form, trusted beside the usual ones. */
  readonly caPem?: string | undefined;
  /** Proxies on the way to the endpoint, and to what gives the credentials. */
  readonly proxy?: StoreProxy | undefined;
  /** Allow an endpoint without TLS that is not on this machine. */
  readonly allowHttp?: boolean | undefined;
  /** What the server is known to do, for example from `probeServer`; the rest is found out. */
  readonly habits?: Partial<ServerHabits> | undefined;
  /** Until a connection including TLS stands, in milliseconds; default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Without a byte in either direction, in milliseconds; default 30 s. */
  readonly idleTimeoutMs?: number | undefined;
  /** For one request as a whole, in milliseconds, and for each 64 MiB of a body; default 5 minutes. */
  readonly requestTimeoutMs?: number | undefined;
  /** Connections at once; default 64. Should not be below the number of parallel jobs. */
  readonly maxConnections?: number | undefined;
  /** See `RetryOptions`; `false` for a store that fails at once. */
  readonly retry?: StoreRetryConfig | false | undefined;
  /** What hints call the settings, for example the variables that a program reads them from; else they name the field. */
  readonly settingNames?: SettingNames | undefined;
  /** Limit for each direction. */
  readonly rateLimitBytesPerSecond?: number | undefined;
}

/** `http://[user:password@]host:port` each, or with https; without a scheme it is http. */
export interface StoreProxy {
  /** For endpoints with TLS, which the proxy only connects to. */
  readonly https?: string | undefined;
  /** For endpoints without TLS. */
  readonly http?: string | undefined;
  /** What is reached without a proxy: hosts and what lies below them, addresses, networks (10.0.0.0/8), or `*`; each with or without a port. */
  readonly except?: readonly string[] | undefined;
}

export interface StoreCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface StoreRetryConfig {
  /** For one call in all, in milliseconds; default 5 minutes. */
  readonly deadlineMs?: number | undefined;
  readonly baseDelayMs?: number | undefined;
  readonly maxDelayMs?: number | undefined;
}

/** The fields of a `StoreConfig` that hints tell to change. */
export type NamedSetting =
  | keyof StoreCredentials
  | Extract<keyof StoreConfig, "url" | "endpoint" | "region" | "allowHttp" | "caPem" | "proxy">
  | Extract<HabitName, "listingOrder">;

/** Where the settings came from, by field: for example `{ region: "AWS_DEFAULT_REGION" }`. */
export type SettingNames = Readonly<Partial<Record<NamedSetting, string>>>;
