import { SoarError } from "@soar/errors";
import type { BucketSettings, LifecycleRule } from "@soar/storage/bucket-settings";
import { expect, test } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineBucket, type BucketExpectations } from "./examine-bucket.ts";

const RULE: LifecycleRule = {
  id: "r",
  isEnabled: true,
  prefix: "",
  isNarrower: false,
  expiresAfterDays: undefined,
  expiresAt: undefined,
  removesDeleteMarkers: false,
  removesNoncurrentAfterDays: 7,
  abortsUploadsAfterDays: 7,
  transitions: [],
};
const WELL: BucketSettings = {
  versioning: { value: "on" },
  lifecycle: { value: [RULE] },
  objectLock: { value: undefined },
  visibleBuckets: { value: ["soar"] },
  clockAheadMs: { value: 0 },
};

async function look(
  settings: Partial<BucketSettings>,
  probe?: BucketExpectations["probe"],
): Promise<Record<string, Examination>> {
  const expected: BucketExpectations = { prefix: "cluster1/", retentionDays: 30, bucket: "soar", probe };
  const seen = await examine("bucket", (notes) => examineBucket({ ...WELL, ...settings }, expected, notes));
  return Object.fromEntries(seen.map((one) => [one.kind, one]));
}

const rules = (...changes: Partial<LifecycleRule>[]): Pick<BucketSettings, "lifecycle"> => ({
  lifecycle: { value: [RULE, ...changes.map((change) => ({ ...RULE, ...change }))] },
});
const saying = (severity: Examination["severity"], what: RegExp, advice: RegExp) => ({
  severity,
  what: expect.stringMatching(what) as string,
  advice: expect.stringMatching(advice) as string,
});

test("a bucket that is set up well has nothing to be told", async () => {
  expect(Object.values(await look({})).filter(({ severity }) => severity !== "ok")).toEqual([]);
});

test.each([
  [10_000, "ok", /agrees/],
  [60_000, "warning", /60 s behind/],
  [-60_000, "warning", /60 s ahead of/],
  [400_000, "error", /400 s behind/],
] as const)("a provider's clock %i ms ahead: %s", async (clockAheadMs, severity, what) => {
  const { clock } = await look({ clockAheadMs: { value: clockAheadMs } });
  expect(clock).toMatchObject({ severity, what: expect.stringMatching(what) });
  if (severity !== "ok") expect(clock?.advice).toContain("timedatectl set-ntp true");
});

test("rules that undercut the window, whatever their prefix is, and no others", async () => {
  for (const prefix of ["", "cluster1/", "cluster1/base/2025", "cluster1/config/"]) {
    expect(await look(rules({ id: "old", prefix, expiresAfterDays: 90 })), prefix).toMatchObject({
      "lifecycle-removes-backups": saying("error", /'old' removes objects under .* after 90 days/, /Remove this rule/),
    });
  }
  expect(await look(rules({ prefix: "cluster1/wal/", expiresAt: new Date("2026-01-01") }))).toMatchObject({
    "lifecycle-removes-backups": saying("error", /at 2026-01-01/, /Remove/),
  });
  expect(await look(rules({ prefix: "cluster1/tail/", expiresAfterDays: 44 }))).toMatchObject({
    "lifecycle-removes-tail": saying("error", /tail\/ after 44 days/, /45 days or more/),
  });
  expect(
    await look(rules({ prefix: "cluster1/wal/", transitions: [{ afterDays: 14, storageClass: "GLACIER" }] })),
  ).toMatchObject({ "lifecycle-archives": saying("error", /wal\/ to GLACIER/, /GLACIER_IR/) });
  expect(
    await look(rules({ prefix: "cluster1/", transitions: [{ afterDays: 14, storageClass: "STANDARD_IA" }] })),
  ).toMatchObject({ "lifecycle-moves-wal": saying("warning", /wal\//, /Limit the rule to cluster1\/base\//) });
  const harmless = rules(
    { prefix: "cluster2/", expiresAfterDays: 1 },
    { prefix: "cluster1/", expiresAfterDays: 1, isEnabled: false },
    { prefix: "cluster1/tail/", expiresAfterDays: 45 },
    { prefix: "cluster1/base/", transitions: [{ afterDays: 14, storageClass: "GLACIER_IR" }] },
  );
  expect(await look(harmless)).toMatchObject({ lifecycle: { severity: "ok" } });
  const withoutUploads = { ...RULE, abortsUploadsAfterDays: undefined };
  expect(await look({ lifecycle: { value: [withoutUploads] } })).toMatchObject({
    "uploads-kept": saying("notice", /no rule removes/, /AbortIncompleteMultipartUpload/),
  });
});

test("permissions that are too wide or missing, versions, and Object Lock", async () => {
  expect(await look({ visibleBuckets: { value: ["soar", "a", "b"] } })).toMatchObject({
    "key-too-wide": saying("warning", /sees 2 other buckets/, /limited to 'soar'/),
  });
  const probe = { mayRemove: true, habits: { conditionalPut: "honoured" } } as const;
  const unprotected = { versioning: { value: "off" } } as const;
  expect(await look(unprotected, probe)).toMatchObject({
    versioning: saying("warning", /versioning is off/, /put-bucket-versioning --bucket soar/),
    "key-may-destroy": saying("warning", /remove every backup/, /s3:DeleteObject/),
  });
  expect(
    await look({ ...unprotected, objectLock: { value: { defaultRetention: "30 days" } } }, probe),
  ).not.toHaveProperty("key-may-destroy");
  expect(await look(unprotected, { ...probe, mayRemove: false })).not.toHaveProperty("key-may-destroy");
  expect(await look({ objectLock: { value: { defaultRetention: "30 days" } } })).toMatchObject({
    "object-lock": { severity: "ok", what: expect.stringContaining("30 days") },
  });
  const denied = { error: new SoarError("STORE_DENIED", "unable to read the lifecycle rules: denied") };
  expect(await look({ lifecycle: denied })).toMatchObject({
    "lifecycle-unseen": saying("notice", /denied/, /s3:GetLifecycleConfiguration/),
  });
  expect(await look({ objectLock: { error: new SoarError("STORE_UNSUPPORTED", "no") } })).toMatchObject({
    "object-lock": { severity: "ok" },
  });
});

test("a key that may not delete, and no rule that removes tails", async () => {
  const probe = { mayRemove: false, habits: { conditionalPut: "honoured" } } as const;
  expect(await look({}, probe)).toMatchObject({
    "tail-kept": saying("warning", /tail\/: the tail of every segment stays for ever/, /soar-backup-verify lifecycle/),
  });
  expect(await look(rules({ prefix: "cluster1/tail/", expiresAfterDays: 45 }), probe)).not.toHaveProperty("tail-kept");
  expect(await look({}, { ...probe, mayRemove: true })).not.toHaveProperty("tail-kept");
});
