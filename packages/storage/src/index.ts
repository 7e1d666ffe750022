// The contract
export type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  MultipartOptions,
  MultipartUpload,
  ObjectBody,
  ObjectStore,
  PutOptions,
  StoredObject,
  StoreFeatures,
  UnfinishedUpload,
} from "./object-store.ts";
export type { ConditionalPut } from "./server-habits.ts";

// Opening a store
export { openStore } from "./open-store.ts";
export type { NamedSetting, StoreConfig } from "./store-config.ts";
export type { StoreEvent, StoreHooks } from "./store-event.ts";
export { formatStoreUrl, parseStoreUrl, type StoreUrl } from "./store-url.ts";
export { type Provider, PROVIDERS } from "./providers.ts";

// Drivers
export { createFileStore, type FileStoreOptions } from "./drivers/file/file-store.ts";
export { createMemoryStore, type MemoryStoreOptions } from "./drivers/memory.ts";

// Wrappers
export { readOnly } from "./wrappers/read-only.ts";
export { withPrefix } from "./wrappers/with-prefix.ts";
export type { RetryOptions } from "./wrappers/retry-policy.ts";
export { withRetry } from "./wrappers/with-retry.ts";
export { withThrottle } from "./wrappers/with-throttle.ts";

// Working with objects
export { compareKeys } from "./object-key.ts";
export { objectSizesFor, type ObjectSizes, partSizeFor } from "./part-size.ts";
export { readObject, type ReadObjectOptions } from "./read-object.ts";
export { readParallel, type ReadParallelOptions } from "./read-parallel.ts";
export { uploadStream, type UploadStreamOptions } from "./upload-stream.ts";
