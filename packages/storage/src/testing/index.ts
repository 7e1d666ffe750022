// For tests with vitest: the conformance suite of the storage contract, and a store that fails on purpose.
export { testObjectStore, type TestObjectStoreOptions } from "./test-object-store.ts";
export { type Fault, type FaultyStore, withFault } from "./faulty-store.ts";
