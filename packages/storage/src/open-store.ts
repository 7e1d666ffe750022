import { createFileStore } from "./drivers/file/file-store.ts";
import { createMemoryStore } from "./drivers/memory.ts";
import { resolveS3Settings } from "./drivers/s3/settings.ts";
import { createS3Store } from "./drivers/s3/s3-store.ts";
import type { ObjectStore } from "./object-store.ts";
import type { StoreConfig } from "./store-config.ts";
import type { StoreHooks } from "./store-event.ts";
import { parseStoreUrl, type StoreUrl } from "./store-url.ts";
import { withPrefix } from "./wrappers/with-prefix.ts";
import { withRetry } from "./wrappers/with-retry.ts";
import { withThrottle } from "./wrappers/with-throttle.ts";

/**
 * Opens the store that a configuration describes: driver, then throttle, retry and prefix around it. Nothing is sent
 * and nothing is looked up yet, so it succeeds for a bucket that is not there. Throws `CONFIG_INVALID`.
 */
export function openStore(config: StoreConfig, hooks: StoreHooks = {}): ObjectStore {
  const url = parseStoreUrl(config.url);
  const driver = openDriver(url, config, hooks);
  // Inside of the retry, so that repeated bytes count against the limit too.
  const throttled =
    config.rateLimitBytesPerSecond === undefined
      ? driver
      : withThrottle(driver, { bytesPerSecond: config.rateLimitBytesPerSecond });
  const retried =
    config.retry === false || url.kind === "memory"
      ? throttled
      : withRetry(throttled, { ...config.retry, onEvent: hooks.onEvent });
  return url.kind === "s3" ? withPrefix(retried, url.prefix) : retried;
}

function openDriver(url: StoreUrl, config: StoreConfig, hooks: StoreHooks): ObjectStore {
  if (url.kind === "file") return createFileStore({ directory: url.directory });
  if (url.kind === "memory") return sharedMemoryStore(url.name);
  return createS3Store({
    settings: resolveS3Settings(config, url.bucket),
    habits: config.habits,
    onEvent: hooks.onEvent,
  });
}

/** Stores of one name are one store, so that two parts of a test see the same objects. It lasts as long as the process. */
const memoryStores = new Map<string, ObjectStore>();

function sharedMemoryStore(name: string): ObjectStore {
  const store = memoryStores.get(name) ?? createMemoryStore({ name });
  memoryStores.set(name, store);
  return store;
}
