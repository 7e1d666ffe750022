import { requireKey, requireKeyPrefix } from "../../object-key.ts";
import type { ConditionalPut, ObjectStore, StoreFeatures } from "../../object-store.ts";
import type { StoreHooks } from "../../store-event.ts";
import type { S3Context } from "./context.ts";
import { statS3 } from "./context.ts";
import { getS3 } from "./get.ts";
import { listS3 } from "./listing.ts";
import { putS3 } from "./put.ts";
import { removeS3 } from "./remove.ts";
import { reportRequests } from "./report-requests.ts";
import type { S3Settings } from "./settings.ts";
import { abortStaleS3Uploads, beginS3Upload, listS3Uploads } from "./upload.ts";
import type { S3Wire } from "./wire.ts";

export interface S3StoreOptions extends StoreHooks {
  readonly settings: S3Settings;
  readonly conditionalPut?: ConditionalPut | undefined;
}

/** A bucket as a store. Nothing is sent, and no SDK is loaded, before the first call. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const location = `s3://${options.settings.bucket}`;
  const loader = createWireLoader(options.settings, options.onEvent);
  const context = createContext(options, location, loader.load);
  return {
    location,
    features: context.features,
    async put(key, body, putOptions = {}) {
      requireKey(key);
      return await putS3(context, key, body, putOptions);
    },
    async beginMultipart(key, multipartOptions) {
      requireKey(key);
      return await beginS3Upload(context, key, multipartOptions);
    },
    async get(key, getOptions = {}) {
      requireKey(key);
      return await getS3(context, key, getOptions);
    },
    async stat(key, { signal } = {}) {
      requireKey(key);
      return await statS3(context, key, signal);
    },
    async *list(prefix, listOptions = {}) {
      requireKeyPrefix(prefix);
      yield* listS3(context, prefix, listOptions);
    },
    async remove(keys, callOptions = {}) {
      for (const key of keys) requireKey(key);
      await removeS3(context, keys, callOptions);
    },
    async listUploads(prefix, callOptions = {}) {
      requireKeyPrefix(prefix);
      return await listS3Uploads(context, prefix, callOptions);
    },
    async abortStaleUploads(prefix, before, callOptions = {}) {
      requireKeyPrefix(prefix);
      return await abortStaleS3Uploads(context, prefix, before, callOptions);
    },
    close: loader.close,
  };
}

function createContext(options: S3StoreOptions, location: string, wire: S3Context["wire"]): S3Context {
  const { provider } = options.settings;
  const learned: S3Context["learned"] = {
    conditionalPut: options.conditionalPut ?? provider.conditionalPut,
    batchDelete: provider.deleteBatch > 1,
    bucketSeen: false,
  };
  return {
    settings: options.settings,
    features: createFeatures(options.settings, learned),
    wire,
    learned,
    onEvent: options.onEvent ?? (() => undefined),
    nameOf: (key) => `${location}/${key}`,
  };
}

function createFeatures({ endpoint, provider }: S3Settings, learned: S3Context["learned"]): StoreFeatures {
  return {
    get conditionalPut() {
      return learned.conditionalPut;
    },
    server: new URL(endpoint).host,
    recallConditionalPut(answer) {
      if (learned.conditionalPut === "unknown") learned.conditionalPut = answer;
    },
    maxParts: provider.maxParts,
    minPartSize: provider.minPartSize,
    maxPartSize: provider.maxPartSize,
  };
}

/** The SDK costs more time than everything else that an archive command does, so it is loaded once it is needed. */
function createWireLoader(
  settings: S3Settings,
  onEvent: StoreHooks["onEvent"],
): { load: () => Promise<S3Wire>; close: () => Promise<void> } {
  let wire: Promise<S3Wire> | undefined;
  return {
    load() {
      wire ??= import("./sdk-wire.ts").then(({ createS3Wire }) =>
        onEvent === undefined ? createS3Wire(settings) : reportRequests(createS3Wire(settings), onEvent),
      );
      return wire;
    },
    async close() {
      (await wire)?.close();
    },
  };
}
