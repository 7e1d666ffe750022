import type { StoreFeatures } from "../object-store.ts";

/** Features of a store that no server stands behind: it decides at the moment at which an object appears. */
export const ON_THIS_MACHINE = {
  atomicPut: "yes",
  conditionalComplete: "honoured",
  server: undefined,
  clock: () => undefined,
  proxy: undefined,
  learned: [],
  recall: () => undefined,
  learnMaxParts: () => undefined,
  listingOrder: "keys",
  isMaxPartsProved: true,
} as const satisfies Partial<StoreFeatures>;
