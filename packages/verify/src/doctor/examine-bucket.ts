import { BASE_PREFIX, TAIL_PREFIX, WAL_PREFIX } from "@soar/repository";
import type { BucketSettings, LifecycleRule, Told } from "@soar/storage/bucket-settings";
import type { Notes } from "./examination.ts";
import type { StorageProbe } from "./examine-storage.ts";
import { TAIL_MARGIN_DAYS } from "./safe-lifecycle.ts";

export interface BucketExpectations {
  /** Of `BACKUP_BUCKET`, with its slash; empty without one. */
  readonly prefix: string;
  readonly retentionDays: number;
  readonly bucket: string;
  /** What was found out on objects; undefined when that failed. */
  readonly probe: StorageProbe | undefined;
}

/** From these an object cannot be read at once (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html). */
const ARCHIVE_CLASSES = ["GLACIER", "DEEP_ARCHIVE"];

/** The provider's settings against the promise that nothing of the window is removed, and nothing else is kept for ever. */
export function examineBucket(settings: BucketSettings, expected: BucketExpectations, notes: Notes): void {
  examineClock(settings.clockAheadMs, notes);
  answered(settings.lifecycle, "lifecycle", notes, (rules) =>
    examineRules(
      rules.filter(({ isEnabled }) => isEnabled),
      { settings, expected, notes },
    ),
  );
  answered(settings.versioning, "versioning", notes, (versioning) => {
    if (versioning === "on") return notes.ok("versioning", "the bucket keeps versions");
    notes.warning(
      "versioning",
      `versioning is ${versioning}: what is removed or overwritten by mistake is gone`,
      `Switch it on: aws s3api put-bucket-versioning --bucket ${expected.bucket} --versioning-configuration Status=Enabled, with a rule that removes noncurrent versions.`,
    );
  });
  answered(settings.objectLock, "object-lock", notes, (lock) => {
    if (lock !== undefined)
      notes.ok(
        "object-lock",
        `Object Lock is on, ${lock.defaultRetention === undefined ? "without a default retention" : `new objects are kept for ${lock.defaultRetention}`}`,
      );
  });
  examineRights(settings, expected, notes);
}

function answered<T>(told: Told<T>, kind: string, notes: Notes, look: (value: T) => void): void {
  if (told.error === undefined) return look(told.value);
  if (told.error.code === "STORE_UNSUPPORTED") return notes.ok(kind, `the provider has no setting for ${kind}`);
  notes.notice(
    `${kind}-unseen`,
    told.error.message,
    "Allow the key to read the bucket's settings (s3:GetBucketVersioning, s3:GetLifecycleConfiguration, s3:GetBucketObjectLockConfiguration) to have them checked.",
  );
}

function examineClock({ value, error }: BucketSettings["clockAheadMs"], notes: Notes): void {
  if (error !== undefined) return notes.notice("clock-unseen", error.message, "Check the clock with timedatectl.");
  const seconds = Math.round(Math.abs(value) / 1000);
  const fact = `this machine's clock is ${seconds} s ${value > 0 ? "behind" : "ahead of"} the provider's`;
  if (seconds > 300)
    notes.error("clock", fact, "At 15 minutes every request is refused. Synchronise it: timedatectl set-ntp true.");
  else if (seconds > 30)
    notes.warning(
      "clock",
      fact,
      "Synchronise it (timedatectl set-ntp true): instants of restores are told by this clock.",
    );
  else notes.ok("clock", "the clock agrees with the provider's");
}

interface Rest {
  readonly settings: BucketSettings;
  readonly expected: BucketExpectations;
  readonly notes: Notes;
}

function examineRules(rules: readonly LifecycleRule[], rest: Rest): void {
  const { settings, expected, notes } = rest;
  let harmless = true;
  for (const rule of rules) {
    const told = [...examineExpiration(rule, rest), ...examineTransitions(rule, rest)];
    harmless &&= told.length === 0;
  }
  if (harmless)
    notes.ok(
      "lifecycle",
      rules.length === 0
        ? "no lifecycle rule is set"
        : `${rules.length} lifecycle rules, none of them removes what a restore needs`,
    );
  if (
    settings.versioning.value === "on" &&
    !rules.some((rule) => rule.removesNoncurrentAfterDays !== undefined && concerns(rule, expected.prefix))
  ) {
    notes.warning(
      "noncurrent-versions",
      "versions are kept, and no rule ever removes them: everything that expires goes on being billed",
      "Add a lifecycle rule with NoncurrentVersionExpiration (for example 7 days) and ExpiredObjectDeleteMarker.",
    );
  }
  if (!rules.some((rule) => rule.abortsUploadsAfterDays !== undefined))
    notes.notice(
      "uploads-kept",
      "no rule removes the parts of uploads that never ended",
      "The next backup removes its own; a rule with AbortIncompleteMultipartUpload of 7 days removes all of them.",
    );
}

/** Gives what it has told. */
function examineExpiration(rule: LifecycleRule, { expected: { prefix, retentionDays }, notes }: Rest): string[] {
  if (rule.expiresAfterDays === undefined && rule.expiresAt === undefined) return [];
  const when =
    rule.expiresAfterDays === undefined
      ? `at ${rule.expiresAt?.toISOString().slice(0, 10)}`
      : `after ${rule.expiresAfterDays} days`;
  const needed = [BASE_PREFIX, WAL_PREFIX, "config/"].filter((area) => concerns(rule, `${prefix}${area}`));
  if (needed.length > 0) {
    notes.error(
      "lifecycle-removes-backups",
      `the lifecycle rule '${rule.id}' removes objects under ${needed.join(", ")} ${when}, whether a restore needs them or not`,
      "Remove this rule: soar-base-backup expires what the window does not need, and nothing else.",
    );
    return needed;
  }
  const tooEarly =
    concerns(rule, `${prefix}${TAIL_PREFIX}`) && (rule.expiresAfterDays ?? 0) < retentionDays + TAIL_MARGIN_DAYS;
  if (!tooEarly) return [];
  notes.error(
    "lifecycle-removes-tail",
    `the lifecycle rule '${rule.id}' removes objects under ${TAIL_PREFIX} ${when}: a dead host's last commits are there only`,
    `Let it wait for ${retentionDays + TAIL_MARGIN_DAYS} days or more.`,
  );
  return [TAIL_PREFIX];
}

function examineTransitions(rule: LifecycleRule, { expected: { prefix }, notes }: Rest): string[] {
  const archived = rule.transitions.find(({ storageClass }) => ARCHIVE_CLASSES.includes(storageClass));
  const places = [BASE_PREFIX, WAL_PREFIX, TAIL_PREFIX, "config/"].filter((area) => concerns(rule, `${prefix}${area}`));
  if (rule.transitions.length === 0 || places.length === 0) return [];
  if (archived !== undefined) {
    notes.error(
      "lifecycle-archives",
      `the lifecycle rule '${rule.id}' moves ${places.join(", ")} to ${archived.storageClass}, from where a restore takes hours to begin`,
      "Use an instant-retrieval class (GLACIER_IR, STANDARD_IA), and that for base/ only.",
    );
    return places;
  }
  const small = places.filter((area) => area !== BASE_PREFIX);
  if (small.length === 0) return [];
  notes.warning(
    "lifecycle-moves-wal",
    `the lifecycle rule '${rule.id}' moves ${small.join(", ")}: cheaper classes bill a minimum for every small object`,
    `Limit the rule to ${prefix}${BASE_PREFIX}.`,
  );
  return small;
}

/** Whether a rule reaches any key under a prefix. */
function concerns({ prefix }: LifecycleRule, keyPrefix: string): boolean {
  return prefix.startsWith(keyPrefix) || keyPrefix.startsWith(prefix);
}

function examineRights(
  { visibleBuckets, versioning, objectLock, lifecycle }: BucketSettings,
  { bucket, prefix, probe }: BucketExpectations,
  notes: Notes,
): void {
  const others = (visibleBuckets.value ?? []).filter((name) => name !== bucket);
  if (others.length > 0)
    notes.warning(
      "key-too-wide",
      `this key sees ${others.length} other buckets of the account`,
      `Give backups a key of their own that is limited to '${bucket}'.`,
    );
  else notes.ok("key-limited", "this key sees no other bucket");
  const isProtected = versioning.value === "on" || objectLock.value !== undefined;
  if (probe?.mayRemove === true && !isProtected)
    notes.warning(
      "key-may-destroy",
      "whoever gets hold of this host can remove every backup for good",
      "Keep versions, or use Object Lock, or take a key without s3:DeleteObject here and run expiry elsewhere.",
    );
  const removesTail = (rule: LifecycleRule): boolean =>
    rule.isEnabled && rule.expiresAfterDays !== undefined && `${prefix}${TAIL_PREFIX}`.startsWith(rule.prefix);
  if (probe?.mayRemove === false && lifecycle.value?.some(removesTail) === false)
    notes.warning(
      "tail-kept",
      `this key may not delete, and no rule removes objects under ${TAIL_PREFIX}: the tail of every segment stays for ever`,
      `Set the rules that soar-backup-verify lifecycle prints: soar-backup-verify lifecycle > lifecycle.json && aws s3api put-bucket-lifecycle-configuration --bucket ${bucket} --lifecycle-configuration file://lifecycle.json (which replaces all rules of the bucket).`,
    );
}
