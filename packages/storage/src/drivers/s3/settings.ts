import { registerSecret, SoarError } from "@soar/errors";
import { awsEndpoint, type Provider, providerOfHost, PROVIDERS, regionFor } from "../../providers.ts";
import { chooseProxy, type ProxyChoice, targetOf } from "../../proxy-choice.ts";
import { settingNamer } from "../../setting-names.ts";
import type { NamedSetting, StoreConfig, StoreCredentials } from "../../store-config.ts";

/** Everything about one bucket, decided: no field is left for the SDK to look up somewhere. */
export interface S3Settings {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
  readonly provider: Provider;
  readonly pathStyle: boolean;
  readonly credentials: StoreConfig["credentials"];
  readonly serverSideEncryption: StoreConfig["serverSideEncryption"];
  readonly storageClass: string | undefined;
  readonly caPem: string | undefined;
  readonly proxyFor: ProxyChoice;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
  /** What hints call a setting. */
  readonly nameOf: (setting: NamedSetting) => string;
}

/** Decides what the configuration leaves open. Throws `CONFIG_INVALID`. */
export function resolveS3Settings(config: StoreConfig, bucket: string): S3Settings {
  const stated = config.provider === undefined ? undefined : PROVIDERS[config.provider];
  const endpoint = resolveEndpoint(config, bucket);
  const host = endpoint.hostname;
  const provider = stated ?? providerOfHost(host);
  if (typeof config.credentials === "object") registerCredentials(config.credentials);
  const proxyFor = chooseProxy(config.proxy, settingNamer(config.settingNames));
  // One that cannot be used is told before anything is sent.
  proxyFor(targetOf(endpoint));
  return {
    bucket,
    endpoint: endpoint.origin + endpoint.pathname.replace(/\/+$/, ""),
    region: regionFor(provider, host, config.region),
    provider,
    pathStyle: config.pathStyle ?? prefersPath(provider, host, bucket),
    credentials: config.credentials,
    serverSideEncryption: config.serverSideEncryption,
    storageClass: config.storageClass,
    caPem: config.caPem,
    proxyFor,
    connectTimeoutMs: config.connectTimeoutMs ?? 10_000,
    idleTimeoutMs: config.idleTimeoutMs ?? 30_000,
    requestTimeoutMs: config.requestTimeoutMs ?? 300_000,
    maxConnections: config.maxConnections ?? 64,
    nameOf: settingNamer(config.settingNames),
  };
}

/** Keeps them out of every message. */
export function registerCredentials({ secretAccessKey, sessionToken }: StoreCredentials): void {
  registerSecret(secretAccessKey);
  registerSecret(sessionToken);
}

function resolveEndpoint(config: StoreConfig, bucket: string): URL {
  if (config.endpoint === undefined || config.endpoint === "") return resolveAwsEndpoint(config);
  const endpoint = URL.canParse(config.endpoint) ? new URL(config.endpoint) : undefined;
  if (endpoint === undefined || (endpoint.protocol !== "https:" && endpoint.protocol !== "http:")) {
    throw invalid(
      `unable to use the endpoint '${config.endpoint}': it is not an http or https URL`,
      "Write for example 'https://s3.eu-central-003.backblazeb2.com'.",
    );
  }
  if (endpoint.username !== "" || endpoint.password !== "" || endpoint.search !== "" || endpoint.hash !== "") {
    throw invalid(
      `unable to use the endpoint of '${endpoint.hostname}': it holds more than scheme, host, port and path`,
      "Credentials have settings of their own.",
    );
  }
  if (endpoint.hostname.startsWith(`${bucket}.`) || endpoint.pathname.split("/").includes(bucket)) {
    const bare = endpoint.href.replace(`//${bucket}.`, "//").replace(`/${bucket}`, "");
    throw invalid(
      `unable to use the endpoint '${config.endpoint}': it holds the bucket '${bucket}' already`,
      `Set the endpoint to '${bare.replace(/\/$/, "")}'.`,
    );
  }
  if (endpoint.protocol === "http:" && config.allowHttp !== true && !isLoopback(endpoint.hostname)) {
    throw invalid(
      `unable to use the endpoint '${config.endpoint}': it has no TLS, so everybody on the way could read and change backups`,
      `Use https, or allow http explicitly (${settingNamer(config.settingNames)("allowHttp")}) within a network that you trust.`,
    );
  }
  return endpoint;
}

/** A forgotten endpoint must not send backups, or a test's rubbish, to Amazon: that has to be said. */
function resolveAwsEndpoint(config: StoreConfig): URL {
  if (config.provider === "aws") return new URL(awsEndpoint(regionFor(PROVIDERS.aws, "", config.region)));
  throw invalid(
    `unable to open '${config.url}': no endpoint is set`,
    `Set the endpoint of your provider (${settingNamer(config.settingNames)("endpoint")}), or say that it is Amazon S3 (provider 'aws').`,
  );
}

/** A dot in a bucket's name does not fit under the wildcard of a TLS certificate, an address has no names below it. */
function prefersPath(provider: Provider, host: string, bucket: string): boolean {
  return provider.addressing === "path" || bucket.includes(".") || /^[\d.]+$|^\[/.test(host);
}

/** True for addresses that never leave this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function invalid(message: string, hint: string): SoarError {
  return new SoarError("CONFIG_INVALID", message, { hint });
}
