import { readWalDescription, type WalDescription } from "@soar/repository/wal";
import type { ChainSegment } from "@soar/repository/chain";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** What segments say of themselves, each read once. */
export interface SegmentDescriptions {
  /** Undefined for a bare object, which says nothing, and for a tail, of which there are only pieces. */
  of(segment: ChainSegment): Promise<WalDescription | undefined>;
}

export function createDescriptions(store: ObjectStore, options: CallOptions): SegmentDescriptions {
  const known = new Map<string, Promise<WalDescription>>();
  return {
    async of({ object, tail }) {
      if (object.codec === "none" || tail !== undefined) return undefined;
      const reading =
        known.get(object.key) ?? readWalDescription(store, object, options).then(({ description }) => description);
      known.set(object.key, reading);
      return await reading;
    },
  };
}
