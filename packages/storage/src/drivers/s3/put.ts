import { SoarError } from "@soar/errors";
import type { PutOptions, StoredObject } from "../../object-store.ts";
import { callS3, type S3Call, type S3Context, statS3 } from "./context.ts";
import { hasBytes } from "./has-bytes.ts";
import { sendConditionally, taken } from "./only-if-absent.ts";
import { isSaferAsUpload } from "./safer-as-upload.ts";
import { type BodyDigest, digestBody, judgeEtag } from "./stored-digest.ts";
import { putAsUpload } from "./upload.ts";
import type { WireStored } from "./wire.ts";

/** Stores a body, with one request where that is safe, and proves by the server's own answer that it has these bytes. */
export async function putS3(
  context: S3Context,
  key: string,
  body: Uint8Array,
  options: PutOptions,
): Promise<StoredObject> {
  if (isSaferAsUpload(context, options, body)) return await putAsUpload(context, key, body, options);
  const call: S3Call = { action: `store '${context.nameOf(key)}'`, key, signal: options.signal };
  return await callS3(context, call, async (wire) => {
    const digest = digestBody(body);
    const { stored, verify } = await sendConditionally(context, call, {
      habit: "conditionalPut",
      ifAbsent: options.ifAbsent,
      send: (ifNoneMatch) =>
        wire.putObject({
          key,
          body,
          contentMd5: digest.base64,
          ifNoneMatch,
          whenBegun: options.whenBegun,
          signal: call.signal,
        }),
    });
    return await requireStored(context, call, { key, size: body.byteLength, stored, digest, verify });
  });
}

interface Written {
  readonly key: string;
  readonly size: number;
  readonly stored: WireStored;
  readonly digest: BodyDigest;
  readonly verify: boolean;
}

async function requireStored(context: S3Context, call: S3Call, written: Written): Promise<StoredObject> {
  const { key, size, stored, digest, verify } = written;
  const verdict = judgeEtag(stored, digest.hex, context.settings.provider);
  if (verdict === "other")
    throw notStored(call, `its answer has the MD5 ${stored.etag ?? ""} instead of ${digest.hex}`);
  // Where the server's mark proves the bytes, and the answer has a date, another request would only cost.
  if (verdict === "same" && !verify && stored.answeredAt !== undefined)
    return {
      key,
      size,
      modifiedAt: stored.answeredAt,
      etag: stored.etag,
      storageClass: context.settings.storageClass,
    };
  const object = await statS3(context, key, call.signal);
  if (object === undefined) throw notStored(call, "it is not there afterwards");
  if (verify && (object.size !== size || !(await isOurs(context, call, object, { stored, digest }))))
    throw taken(context, call, undefined);
  if (object.size !== size) throw notStored(call, `it has ${object.size} bytes instead of ${size} afterwards`);
  return object;
}

/** Of two writers each knows its own by the mark; where that is missing, or another one, by what is stored. */
async function isOurs(
  context: S3Context,
  { signal }: S3Call,
  { key, etag }: StoredObject,
  { stored, digest }: Pick<Written, "stored" | "digest">,
): Promise<boolean> {
  if (etag === digest.hex || (etag !== undefined && etag === stored.etag)) return true;
  return await hasBytes(context, key, digest.hex, signal);
}

/** The provider said yes and did something else. Trying again is right: nothing of ours is there. */
function notStored({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: the provider reported success, but ${fact}`, {
    hint: "Do not trust this provider with backups before it explains this; versioning may have kept what was there.",
  });
}
