import { SoarError } from "@soar/errors";
import type { MultipartUpload, ObjectStore } from "@soar/storage";

/**
 * The store as a process sees it that is killed before its change number `changes`, counted from 0: what it has changed
 * stays, and it changes nothing any more, so it cannot clean up either. Reads between two changes leave no trace.
 */
export function dieBefore(store: ObjectStore, changes: number): ObjectStore {
  let done = 0;
  const change = async <T>(run: () => Promise<T>): Promise<T> => {
    if (done >= changes) throw new SoarError("ABORTED", "unable to go on: killed");
    done += 1;
    return await run();
  };
  const upload = (begun: MultipartUpload): MultipartUpload => ({
    key: begun.key,
    partSize: begun.partSize,
    putPart: (partNumber, body, options) => change(() => begun.putPart(partNumber, body, options)),
    complete: (options) => change(() => begun.complete(options)),
    abort: (options) => change(() => begun.abort(options)),
  });
  return {
    ...store,
    put: (key, body, options) => change(() => store.put(key, body, options)),
    beginMultipart: async (key, options) => upload(await change(() => store.beginMultipart(key, options))),
    remove: (keys, options) => change(() => store.remove(keys, options)),
    abortStaleUploads: (prefix, before, options) => change(() => store.abortStaleUploads(prefix, before, options)),
  };
}
