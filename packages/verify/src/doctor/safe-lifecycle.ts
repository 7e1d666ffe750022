import { TAIL_PREFIX } from "@soar/repository";

/** A dead host's tail is the only copy of its last commits (safety, trap 48). */
export const TAIL_MARGIN_DAYS = 15;
/** Long enough to notice that something was removed by mistake. */
const NONCURRENT_DAYS = 7;
const UPLOAD_DAYS = 7;

/**
 * The rules for a bucket that remove nothing which a restore needs, as `aws s3api put-bucket-lifecycle-configuration
 * --lifecycle-configuration file://...` takes them: tails of segments that are archived or of a host that is dead, where a
 * key may not delete them; versions that were removed or overwritten; parts of uploads that never ended.
 */
export function safeLifecycle({
  prefix,
  retentionDays,
}: {
  /** Of `BACKUP_BUCKET`, with its slash; empty without one. */
  readonly prefix: string;
  readonly retentionDays: number;
}) {
  return {
    Rules: [
      {
        ID: "soar-tail",
        Status: "Enabled",
        Filter: { Prefix: `${prefix}${TAIL_PREFIX}` },
        Expiration: { Days: retentionDays + TAIL_MARGIN_DAYS },
      },
      {
        ID: "soar-leftovers",
        Status: "Enabled",
        Filter: { Prefix: prefix },
        Expiration: { ExpiredObjectDeleteMarker: true },
        NoncurrentVersionExpiration: { NoncurrentDays: NONCURRENT_DAYS },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: UPLOAD_DAYS },
      },
    ],
  };
}
