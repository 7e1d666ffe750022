import { SoarError } from "@soar/errors";
import type { ObjectStore } from "../object-store.ts";

/** A view of a store that rejects every write with `STORE_READ_ONLY`, for commands that must never change anything. */
export function readOnly(store: ObjectStore): ObjectStore {
  const refuse = async (action: string): Promise<never> => {
    throw new SoarError("STORE_READ_ONLY", `unable to ${action} in '${store.location}': this command only reads it`);
  };
  return {
    location: store.location,
    features: store.features,
    put: (key) => refuse(`store '${key}'`),
    beginMultipart: (key) => refuse(`begin the upload of '${key}'`),
    get: (key, options) => store.get(key, options),
    stat: (key, options) => store.stat(key, options),
    list: (prefix, options) => store.list(prefix, options),
    remove: (keys) => refuse(`remove ${keys.length} objects`),
    listUploads: (prefix, options) => store.listUploads(prefix, options),
    abortStaleUploads: (prefix) => refuse(`abort uploads under '${prefix}'`),
    close: () => store.close(),
  };
}
