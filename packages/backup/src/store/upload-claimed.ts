import { hasErrorCode } from "@soar/errors";
import { uploadStream, type ObjectStore, type StoredObject, type UploadStreamOptions } from "@soar/storage";

/**
 * Stores a stream under a key that nobody else writes to, because the label is claimed. When the reply to the last request
 * was lost, its repetition finds the key taken: an object of the same length is then this run's own. What it holds is
 * read back later like everything else.
 */
export async function uploadClaimed(
  store: ObjectStore,
  key: string,
  source: AsyncIterable<Buffer>,
  options: UploadStreamOptions,
): Promise<StoredObject> {
  let [length, hasEnded] = [0, false];
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      length += chunk.length;
      yield chunk;
    }
    hasEnded = true;
  };
  try {
    return await uploadStream(store, key, counted(), { ...options, ifAbsent: true });
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS") || !hasEnded) throw error;
    const found = await store.stat(key, { signal: options.signal });
    if (found?.size !== length) throw error;
    return found;
  }
}
