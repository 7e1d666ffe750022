import { createBucket, type Bucket } from "./bucket.ts";
import type { ServerState } from "./call.ts";
import { createControl, type ControlSettings } from "./control.ts";
import type { S3Credential } from "./credential.ts";
import { createDirectorySpace } from "./directory-space.ts";
import { createFaultBook, type FaultRule, type InjectedFault } from "./fault.ts";
import { createRequestHandler } from "./handle-request.ts";
import { listen } from "./listen.ts";
import { createMemorySpace } from "./memory-space.ts";
import { isBucketName } from "./operations/bucket-operations.ts";
import type { ProfileRules } from "./profile-rules.ts";
import { PROFILES, type S3Profile } from "./profiles.ts";
import type { S3RequestLog } from "./request-log.ts";
import { createSelfSignedCertificate } from "./self-signed-certificate.ts";
import { objectsOf, type StoredTestObject } from "./stored-objects.ts";

export interface S3ServerOptions {
  /** Which provider's behaviour; AWS unless told. */
  readonly profile?: S3Profile;
  /** Changes to the profile, for example `{ minPartSize: 1024 }` to keep test data small. */
  readonly rules?: Partial<ProfileRules>;
  /** Buckets that exist from the start; `soar-test` unless told. */
  readonly bucket?: string | BucketOptions | readonly (string | BucketOptions)[];
  /** Who may talk to the server; one owner with every right unless told. */
  readonly credentials?: S3Credential | readonly S3Credential[];
  readonly region?: string;
  /** 0, a free one, unless told. */
  readonly port?: number;
  /** Each request waits this long first. */
  readonly latencyMs?: number;
  /** Keeps objects in files below this directory instead of in memory. */
  readonly directory?: string;
  /**
   * `opaque` saves the MD5 of every body, which is most of the server's own work; Content-MD5 is still verified. `empty`: all
   * objects and parts have the same, which is none.
   */
  readonly etags?: "md5" | "opaque" | "empty";
  /** Bytes over all buckets. */
  readonly quotaBytes?: number;
  /** Entries per page of a listing, at most 1,000. */
  readonly pageSize?: number;
  /** Hosts below which `bucket.<host>` addresses a bucket; `localhost` unless told. */
  readonly hostnames?: readonly string[];
  /** Serves https with a certificate of its own; `caPem` is then what clients have to trust. */
  readonly tls?: boolean;
  /** Opens the side door of `control.ts`. */
  readonly control?: boolean;
}

export interface BucketOptions {
  readonly name: string;
  /** Elsewhere than the server: requests are redirected. */
  readonly region?: string;
  readonly versioning?: boolean;
  /** Switches Object Lock (and with it versioning) on, with a default retention when one is given. */
  readonly objectLock?: true | { readonly mode: "GOVERNANCE" | "COMPLIANCE"; readonly days: number };
}

/** A running server. */
export interface S3TestServer {
  /** For example `http://127.0.0.1:39031`. */
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  /** Name of the first bucket. */
  readonly bucket: string;
  /** The first credential's. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly profile: S3Profile;
  /** With `tls`: the certificate to trust. */
  readonly caPem: string | undefined;
  /** Every request since the start, oldest first; entries under way are still changing. */
  readonly requests: S3RequestLog[];
  /** Makes requests fail by a rule. */
  inject(rule: FaultRule): InjectedFault;
  /** Removes all rules and lets stalled requests go on. */
  clearFaults(): void;
  /** The newest versions of a bucket's objects, by key in listing order. */
  objects(bucket?: string): Map<string, StoredTestObject>;
  /** Changes latency, clock or quota while the server runs. */
  change(settings: ControlSettings): void;
  addCredential(credential: S3Credential): void;
  /** Stops, resets open connections and removes stored files. Rejects when the server itself had an error meanwhile. */
  close(): Promise<void>;
}

export async function startS3Server(options: S3ServerOptions = {}): Promise<S3TestServer> {
  const profile = options.profile ?? "aws";
  const clock = { offset: 0 };
  const state = await openState(options, { ...PROFILES[profile], ...options.rules }, clock);
  const faults = createFaultBook();
  const requests: S3RequestLog[] = [];
  const bugs: unknown[] = [];
  const settings = createSettings(state, clock, options.latencyMs ?? 0);
  const hostnames = options.hostnames ?? ["localhost"];
  const certificate = options.tls === true ? createSelfSignedCertificate(Date.now()) : undefined;
  const { port, close } = await listen({
    port: options.port ?? 0,
    handle: createRequestHandler({
      state,
      faults,
      requests,
      latencyMs: settings.latencyMs,
      hostnames,
      onBug: (error) => bugs.push(error),
    }),
    control: options.control === true ? createControl({ faults, requests, apply: settings.apply }) : undefined,
    certificate,
  });
  const [bucket = ""] = state.buckets.keys();
  const { accessKeyId = "", secretAccessKey = "" } = state.credentials[0] ?? {};
  return {
    endpoint: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    region: state.region,
    bucket,
    accessKeyId,
    secretAccessKey,
    profile,
    requests,
    caPem: certificate?.certPem,
    inject: faults.inject,
    clearFaults: faults.clear,
    objects: (name = bucket) => objectsOf(requireKnown(state.buckets, name)),
    change: settings.apply,
    addCredential: (credential) => void state.credentials.push(credential),
    async close() {
      faults.clear();
      await close();
      await state.space.close();
      if (bugs.length > 0) throw new AggregateError(bugs, "the S3 test server failed by itself");
    },
  };
}

async function openState(
  options: S3ServerOptions,
  rules: ProfileRules,
  clock: { offset: number },
): Promise<ServerState> {
  const region = options.region ?? rules.region;
  return {
    rules,
    region,
    buckets: createBuckets(options, rules, region),
    credentials: [options.credentials ?? { accessKeyId: "SOARTESTKEY", secretAccessKey: "soar-test-secret" }].flat(),
    space: options.directory === undefined ? createMemorySpace() : await createDirectorySpace(options.directory),
    etags: options.etags ?? "md5",
    pageSize: options.pageSize ?? 1000,
    quotaBytes: options.quotaBytes ?? Infinity,
    now: () => Date.now() + clock.offset,
  };
}

function createSettings(
  state: ServerState,
  clock: { offset: number },
  initialLatencyMs: number,
): { latencyMs: () => number; apply: (settings: ControlSettings) => void } {
  let latency = initialLatencyMs;
  return {
    latencyMs: () => latency,
    apply({ latencyMs, clockOffsetMs, quotaBytes }) {
      latency = latencyMs ?? latency;
      clock.offset = clockOffsetMs ?? clock.offset;
      state.quotaBytes = quotaBytes ?? state.quotaBytes;
    },
  };
}

function createBuckets(
  { bucket = "soar-test" }: S3ServerOptions,
  rules: ProfileRules,
  region: string,
): Map<string, Bucket> {
  const wanted = [bucket].flat().map((item) => (typeof item === "string" ? { name: item } : item));
  return new Map(
    wanted.map((item: BucketOptions) => {
      if (!isBucketName(item.name)) throw new TypeError(`'${item.name}' is not a bucket name`);
      const created = createBucket(item.name, item.region ?? region, Date.now());
      const { objectLock } = item;
      if (objectLock !== undefined) created.objectLock = { rule: objectLock === true ? undefined : objectLock };
      if (item.versioning === true || objectLock !== undefined || rules.versioning === "always")
        created.versioning = "Enabled";
      return [item.name, created];
    }),
  );
}

function requireKnown(buckets: ReadonlyMap<string, Bucket>, name: string): Bucket {
  const bucket = buckets.get(name);
  if (bucket === undefined) throw new TypeError(`this S3 test server has no bucket '${name}'`);
  return bucket;
}
