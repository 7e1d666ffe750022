import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { receiveText } from "../receive-body.ts";
import { S3Error } from "../s3-error.ts";
import { parseXml, textOf } from "../xml.ts";
import { requireVersion } from "./find-version.ts";

const DAY_MS = 24 * 3600 * 1000;

/** Thaws an archived object, at once: 202 the first time, 200 when it was already thawed. */
export async function restoreObject(call: S3Call): Promise<S3Reply> {
  const version = requireVersion(call, requireBucket(call));
  const days = Number(textOf(parseXml(await receiveText(call), "RestoreRequest"), "Days"));
  if (!(days > 0)) throw new S3Error("MalformedXML");
  if (!["GLACIER", "DEEP_ARCHIVE"].includes(version.facts.storageClass)) {
    throw new S3Error("InvalidObjectState", {
      message: "Restore is not allowed for the object's current storage class",
    });
  }
  const first = version.restoredUntil === undefined;
  version.restoredUntil = call.state.now() + days * DAY_MS;
  return { status: first ? 202 : 200 };
}
