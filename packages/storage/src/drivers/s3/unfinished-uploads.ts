import { SoarError } from "@soar/errors";
import { compareKeys } from "../../object-key.ts";
import type { CallOptions, UnfinishedUpload } from "../../object-store.ts";
import { abortThrough } from "./abort-upload.ts";
import { callS3, type S3Call, type S3Context } from "./context.ts";
import { MOST_EMPTY_PAGES } from "./listing.ts";
import type { S3Wire, WireUploadsPage } from "./wire.ts";

/** Aborts uploads that were begun before `before`, and returns their keys. */
export async function abortStaleS3Uploads(
  context: S3Context,
  prefix: string,
  before: Date,
  { signal }: CallOptions,
): Promise<string[]> {
  const call: S3Call = { action: `abort uploads under '${context.nameOf(prefix)}'`, signal };
  return await callS3(context, call, async (wire) => {
    const keys: string[] = [];
    for await (const { key, uploadId, begunAt } of readUploads(wire, call, prefix)) {
      if (begunAt >= before) continue;
      await abortThrough(wire, key, uploadId, signal);
      keys.push(key);
    }
    return keys.sort(compareKeys);
  });
}

/** Uploads that were never completed or aborted. */
export async function listS3Uploads(
  context: S3Context,
  prefix: string,
  { signal }: CallOptions,
): Promise<UnfinishedUpload[]> {
  const call: S3Call = { action: `list uploads under '${context.nameOf(prefix)}'`, signal };
  return await callS3(context, call, async (wire) => {
    const uploads: UnfinishedUpload[] = [];
    for await (const { key, begunAt } of readUploads(wire, call, prefix)) uploads.push({ key, begunAt });
    return uploads.sort((left, right) => compareKeys(left.key, right.key));
  });
}

/** Every upload under `prefix` that was neither completed nor aborted, in the server's order. */
export async function* readUploads(
  wire: S3Wire,
  call: S3Call,
  prefix: string,
): AsyncGenerator<{ key: string; uploadId: string; begunAt: Date }, void, void> {
  const seenMarkers = new Set<string>();
  let [keyMarker, uploadIdMarker] = [undefined as string | undefined, undefined as string | undefined];
  for (let empty = 0; ;) {
    const page: WireUploadsPage = await wire.listUploads({ prefix, keyMarker, uploadIdMarker, signal: call.signal });
    for (const { key, uploadId, begunAt } of page.uploads) {
      if (key === undefined || uploadId === undefined || begunAt === undefined || !key.startsWith(prefix))
        throw broken(call, "an entry of the listing has no key, id or time, or does not belong there");
      yield { key, uploadId, begunAt };
    }
    if (page.truncated !== true) return;
    ({ nextKeyMarker: keyMarker, nextUploadIdMarker: uploadIdMarker } = page);
    const marker = JSON.stringify([keyMarker, uploadIdMarker]);
    if (keyMarker === undefined || seenMarkers.has(marker))
      throw broken(call, "a page of the listing does not lead on");
    seenMarkers.add(marker);
    empty = page.uploads.length === 0 ? empty + 1 : 0;
    if (empty === MOST_EMPTY_PAGES)
      throw broken(call, `${MOST_EMPTY_PAGES} pages of the listing in a row hold nothing, and lead on`);
  }
}

function broken({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: ${fact}`);
}
