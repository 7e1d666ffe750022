import { hasErrorCode } from "@soar/errors";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type * as v from "valibot";
import { findRecord } from "./json-record.ts";

/** Reads every record below a prefix, in the order of their keys. Rejects as the store and `findRecord` do. */
export async function listRecords<S extends v.GenericSchema<unknown, { readonly format: number }>>(
  store: ObjectStore,
  prefix: string,
  schema: S,
  options: CallOptions,
): Promise<v.InferOutput<S>[]> {
  const records: v.InferOutput<S>[] = [];
  for await (const { key } of store.list(prefix, options)) {
    const record = await findRecord(store, key, schema, options).catch((error: unknown) => {
      // A view of the store that remembers a listing says that it is there.
      if (!hasErrorCode(error, "OBJECT_MISSING")) throw error;
      return undefined;
    });
    // Gone between listing and reading: a lease that was given back.
    if (record !== undefined) records.push(record);
  }
  return records;
}
