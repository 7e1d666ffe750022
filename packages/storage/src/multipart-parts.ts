import { SoarError } from "@soar/errors";
import type { StoreFeatures } from "./object-store.ts";

/** What every driver has to know about an upload in parts to keep the contract. */
export interface PartRules {
  /** Full name of the object, for messages. */
  readonly name: string;
  readonly partSize: number;
  readonly features: StoreFeatures;
}

/** Rejects a part size that the store cannot take with `STORE_UNSUPPORTED`. */
export function requirePartSize({ name, partSize, features }: PartRules): void {
  if (!Number.isSafeInteger(partSize) || partSize < 1)
    throw new RangeError(`a part size is a whole number of bytes, not ${partSize}`);
  if (partSize >= features.minPartSize && partSize <= features.maxPartSize) return;
  throw new SoarError(
    "STORE_UNSUPPORTED",
    `unable to begin the upload of '${name}': a part of ${partSize} bytes is outside ${features.minPartSize}..${features.maxPartSize}`,
    { hint: "Take the part size from partSizeFor(expectedSize, store.features)." },
  );
}

/** Rejects a part that can never belong to this upload, before its bytes travel. */
export function requirePart(rules: PartRules, partNumber: number, size: number): void {
  if (!Number.isSafeInteger(partNumber) || partNumber < 1)
    throw new RangeError(`parts are numbered from 1, not ${partNumber}`);
  if (size < 1 || size > rules.partSize) {
    throw new RangeError(
      `part ${partNumber} of '${rules.name}' has ${size} bytes, but parts of this upload have ${rules.partSize}`,
    );
  }
  if (partNumber <= rules.features.maxParts) return;
  throw new SoarError(
    "STORE_UNSUPPORTED",
    `unable to upload '${rules.name}': the store takes no more than ${rules.features.maxParts} parts`,
    {
      hint: "The object became larger than expected; begin again with a larger expected size.",
    },
  );
}

/** Checks that parts 1..n are all there and equally long (but the last), and returns the size of the object. */
export function requireAllParts(rules: PartRules, sizes: ReadonlyMap<number, number>): number {
  if (sizes.size === 0) throw incomplete(rules.name, "no part was uploaded");
  let total = 0;
  for (let partNumber = 1; partNumber <= sizes.size; partNumber += 1) {
    const size = sizes.get(partNumber);
    if (size === undefined) throw incomplete(rules.name, `part ${partNumber} is missing`);
    if (partNumber < sizes.size && size !== rules.partSize) {
      throw incomplete(rules.name, `part ${partNumber} has ${size} bytes instead of ${rules.partSize}`);
    }
    total += size;
  }
  return total;
}

/** The failure of using an upload that was completed or aborted. */
export function uploadEnded(name: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to upload '${name}': the upload was completed or aborted before`);
}

function incomplete(name: string, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to complete the upload of '${name}': ${fact}`);
}
