import { requireKey, requireKeyPrefix } from "../../object-key.ts";
import type { ObjectStore, StoreFeatures } from "../../object-store.ts";
import type { ServerHabits } from "../../server-habits.ts";
import type { StoreHooks } from "../../store-event.ts";
import type { S3Context } from "./context.ts";
import { statS3 } from "./context.ts";
import { getS3 } from "./get.ts";
import { createHabitBook, type HabitBook, type HabitMemory } from "./habit-book.ts";
import { listS3 } from "./listing.ts";
import { putS3 } from "./put.ts";
import { removeS3 } from "./remove.ts";
import { reportRequests } from "./report-requests.ts";
import type { S3Settings } from "./settings.ts";
import { nameOfProxy, targetOf } from "../../proxy-choice.ts";
import { type ChangingWire, throughRenewal } from "./through-renewal.ts";
import { throughHabits } from "./through-habits.ts";
import { abortStaleS3Uploads, listS3Uploads } from "./unfinished-uploads.ts";
import { beginS3Upload } from "./upload.ts";
import type { S3Wire } from "./wire.ts";

export interface S3StoreOptions extends StoreHooks {
  readonly settings: S3Settings;
  /** What the server is known to do. */
  readonly habits?: Partial<ServerHabits> | undefined;
  /** Where stores of this process share what they find out; for tests whose servers come and go. */
  readonly memory?: HabitMemory | undefined;
}

/** A bucket as a store. Nothing is sent, and no SDK is loaded, before the first call. */
export function createS3Store(options: S3StoreOptions): ObjectStore {
  const location = `s3://${options.settings.bucket}`;
  const clock = createServerClock();
  const loader = createWireLoader(options, clock.saw);
  const context = createContext(options, location, { load: loader.load, clock: clock.now });
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

interface Reach {
  readonly load: () => Promise<ChangingWire>;
  readonly clock: StoreFeatures["clock"];
}

function createContext(options: S3StoreOptions, location: string, { load, clock }: Reach): S3Context {
  const { settings, onEvent } = options;
  const habits = createHabitBook({
    server: `${settings.endpoint} ${settings.bucket}`,
    usual: usualHabits(settings),
    configured: options.habits,
    onEvent,
    memory: options.memory,
  });
  let wire: Promise<S3Wire> | undefined;
  return {
    settings,
    features: createFeatures(settings, habits, clock),
    wire: () => (wire ??= load().then((changing) => speaking(changing, habits))),
    habits,
    seen: { bucket: false, ordered: new Set(), rivalsRefusedAt: performance.now() },
    nameOf: (key) => `${location}/${key}`,
  };
}

/** A refusal is one of manner before it is one of credentials: the same ones are let in when bodies are signed. */
function speaking({ wire, chain }: ChangingWire, habits: HabitBook): S3Wire {
  const speaker = throughHabits(wire, habits, chain?.generation);
  return chain === undefined ? speaker : throughRenewal(speaker, chain);
}

/** As the provider's row says, or as S3 has it. */
function usualHabits({ provider }: S3Settings): ServerHabits {
  const { conditionalPut, atomicPut, conditionalComplete, maxParts, listingOrder } = provider;
  return {
    conditionalPut,
    atomicPut,
    conditionalComplete,
    maxParts,
    listingOrder,
    batchDelete: provider.deleteBatch > 1 ? "taken" : "refused",
    payloadSignature: "md5",
    contentMd5: "taken",
    expectContinue: "taken",
    rivalUploads: "ended",
  };
}

/** Goes on from the server's newest answer with the time that passes, whatever becomes of this machine's clock. */
function createServerClock(): { readonly saw: (date: Date) => void; readonly now: StoreFeatures["clock"] } {
  let aheadMs: number | undefined;
  return {
    // The header names the beginning of its second.
    saw: (date) => void (aheadMs = date.getTime() + 500 - performance.now()),
    now: () => (aheadMs === undefined ? undefined : new Date(aheadMs + performance.now())),
  };
}

function createFeatures(
  { endpoint, provider, proxyFor }: S3Settings,
  habits: HabitBook,
  clock: StoreFeatures["clock"],
): StoreFeatures {
  const url = new URL(endpoint);
  const proxy = proxyFor(targetOf(url));
  return {
    get conditionalPut() {
      return habits.now.conditionalPut;
    },
    get atomicPut() {
      return habits.now.atomicPut;
    },
    get conditionalComplete() {
      return habits.now.conditionalComplete;
    },
    get maxParts() {
      return habits.now.maxParts;
    },
    get listingOrder() {
      return habits.now.listingOrder;
    },
    get isMaxPartsProved() {
      return provider.maxPartsDocumented || habits.isCurrent("maxParts");
    },
    get learned() {
      return habits.learned;
    },
    server: url.host,
    clock,
    proxy: proxy === undefined ? undefined : nameOfProxy(proxy),
    recall: habits.recall,
    learnMaxParts: (maxParts) => habits.learn("maxParts", maxParts),
    minPartSize: provider.minPartSize,
    maxPartSize: provider.maxPartSize,
  };
}

/** The SDK costs more time than everything else that an archive command does, so it is loaded once it is needed. */
function createWireLoader(
  { settings, onEvent }: S3StoreOptions,
  onDate: (date: Date) => void,
): { load: () => Promise<ChangingWire>; close: () => Promise<void> } {
  let changing: Promise<ChangingWire> | undefined;
  return {
    load() {
      changing ??= import("./sdk-wire.ts").then(({ createS3Wire }) => {
        const { wire, chain } = createS3Wire(settings, onDate);
        return { wire: onEvent === undefined ? wire : reportRequests(wire, onEvent), chain };
      });
      return changing;
    },
    async close() {
      (await changing)?.wire.close();
    },
  };
}
