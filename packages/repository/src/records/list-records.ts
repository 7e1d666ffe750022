import { hasErrorCode, SoarError } from "@soar/errors";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type * as v from "valibot";
import { findRecord, LARGEST_RECORD } from "./json-record.ts";

/** Bytes of all records of one kind: leases, gaps and what was expired have some hundred each. */
const LARGEST_SUM_BYTES = LARGEST_RECORD;

/**
 * Reads every record below a prefix, in the order of their keys. Rejects as the store and `findRecord` do, and with
 * `REPOSITORY_DAMAGED` where they are more than anybody wrote: none may be left out.
 */
export async function listRecords<S extends v.GenericSchema<unknown, { readonly format: number }>>(
  store: ObjectStore,
  prefix: string,
  schema: S,
  options: CallOptions,
): Promise<v.InferOutput<S>[]> {
  const records: v.InferOutput<S>[] = [];
  let bytes = 0;
  for await (const { key, size } of store.list(prefix, options)) {
    bytes += size;
    if (bytes > LARGEST_SUM_BYTES) throw tooMany(`${store.location}/${prefix}`);
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

function tooMany(where: string): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `unable to read the records below '${where}': they have more than ${LARGEST_SUM_BYTES} bytes`,
    {
      hint: "No version of these tools wrote so many: look at who may write to the bucket, and remove what is none of yours.",
    },
  );
}
