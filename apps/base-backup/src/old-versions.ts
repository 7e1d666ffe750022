import { formatSize, storeConfigOf, type Config, type storageOptions } from "@soar/app-kit";
import { messageOf } from "@soar/errors";
import type { BucketSettings } from "@soar/storage/bucket-settings";
import { parseStoreUrl } from "@soar/storage";

/** What becomes of the bytes of an object that is removed. */
export type OldVersions =
  | { readonly kind: "none" }
  /** The bucket keeps them; the days after which a rule of its own removes them, undefined where none does. */
  | { readonly kind: "kept"; readonly days: number | undefined }
  | { readonly kind: "unknown"; readonly reason: string };

/** Asks the provider. Its refusal is an answer, too: no expiry depends on it. */
export async function readOldVersions(
  config: Config<typeof storageOptions>,
  { envFile, signal }: { readonly envFile: string | undefined; readonly signal: AbortSignal },
): Promise<OldVersions> {
  const store = storeConfigOf(config, process.env, envFile);
  const url = parseStoreUrl(store.url);
  if (url.kind !== "s3") return { kind: "none" };
  try {
    const { readBucketSettings } = await import("@soar/storage/bucket-settings");
    return oldVersionsOf(await readBucketSettings(store, { signal }), url.prefix);
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: "unknown", reason: messageOf(error) };
  }
}

/** @param prefix of the repository in the bucket: only a rule for all of it counts */
export function oldVersionsOf(
  { versioning, lifecycle }: Pick<BucketSettings, "versioning" | "lifecycle">,
  prefix: string,
): OldVersions {
  if (versioning.value === undefined) return { kind: "unknown", reason: versioning.error.message };
  if (versioning.value === "off") return { kind: "none" };
  // Also while it is suspended: what was stored before is kept.
  const days = (lifecycle.value ?? []).flatMap((rule) =>
    rule.isEnabled &&
    !rule.isNarrower &&
    `${prefix}/`.startsWith(rule.prefix) &&
    rule.removesNoncurrentAfterDays !== undefined
      ? [rule.removesNoncurrentAfterDays]
      : [],
  );
  if (days.length === 0 && lifecycle.value === undefined)
    return { kind: "unknown", reason: `the bucket keeps versions, and ${lifecycle.error.message}` };
  return { kind: "kept", days: days.length === 0 ? undefined : Math.min(...days) };
}

/** What a removal of so many bytes comes to for the bill, as a full sentence. */
export function describeFreed(bytes: number, versions: OldVersions): string {
  const size = formatSize(bytes);
  switch (versions.kind) {
    case "none":
      return `${size} become free.`;
    case "unknown":
      return `${size} are removed; whether they become free is not known: ${versions.reason}.`;
    case "kept":
      return versions.days === undefined
        ? `${size} are removed, and nothing becomes free: the bucket keeps them as old versions, and no lifecycle rule removes these.`
        : `${size} are removed, and become free ${versions.days} days later: until then the bucket keeps them as old versions.`;
  }
}
