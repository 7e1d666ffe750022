import type { Bucket, ObjectVersion, Retention } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { mayAccess } from "../credential.ts";
import { receiveText, requireBodyDigest } from "../receive-body.ts";
import { S3Error } from "../s3-error.ts";
import { childrenOf, formatXml, parseXml, textOf, type XmlElement, type XmlNode } from "../xml.ts";
import { requireVersion } from "./find-version.ts";

const DAY_MS = 24 * 3600 * 1000;

/** Retention and legal hold that a write asks for, or that the bucket's default gives it. */
export function readRetention(call: S3Call, bucket: Bucket): { retention: Retention | undefined; legalHold: boolean } {
  const mode = call.header("x-amz-object-lock-mode");
  const until = call.header("x-amz-object-lock-retain-until-date");
  const legalHold = call.header("x-amz-object-lock-legal-hold");
  if (mode === undefined && until === undefined && legalHold === undefined) {
    const rule = bucket.objectLock?.rule;
    return { retention: rule && { mode: rule.mode, until: call.state.now() + rule.days * DAY_MS }, legalHold: false };
  }
  if (bucket.objectLock === undefined)
    throw new S3Error("InvalidRequest", { message: "Bucket is missing Object Lock Configuration" });
  if ((mode === undefined) !== (until === undefined)) {
    throw new S3Error("InvalidArgument", {
      message: "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
    });
  }
  return {
    retention: mode === undefined ? undefined : parseRetention(mode, until, call.state.now()),
    legalHold: legalHold === "ON",
  };
}

function parseRetention(mode: string | undefined, until: string | undefined, now: number): Retention {
  const instant = Date.parse(until ?? "");
  if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE")
    throw new S3Error("InvalidArgument", { message: "Unknown wormMode directive." });
  if (!(instant > now))
    throw new S3Error("InvalidArgument", { message: "The retain until date must be in the future!" });
  return { mode, until: instant };
}

/** Writes under Object Lock must prove their body: docs/providers.md 4. */
export function requireLockDigest(
  call: S3Call,
  { retention, legalHold }: { retention: Retention | undefined; legalHold: boolean },
  what: "Put Object" | "Put Part",
): void {
  if (retention === undefined && !legalHold) return;
  const message = `Content-MD5 OR x-amz-checksum- HTTP header is required for ${what} requests with Object Lock parameters`;
  requireBodyDigest(call, { status: 400, code: "InvalidRequest", message });
}

/** Throws AccessDenied when Object Lock protects a version from being removed for good. */
export function checkRemovable(call: S3Call, { retention, legalHold }: ObjectVersion): void {
  const locked = retention !== undefined && retention.until > call.state.now();
  if (!legalHold && !(locked && !mayBypass(call, retention))) return;
  throw new S3Error("AccessDenied", { message: "Access Denied because object protected by object lock." });
}

function mayBypass(call: S3Call, { mode }: Retention): boolean {
  return (
    mode === "GOVERNANCE" &&
    call.header("x-amz-bypass-governance-retention") === "true" &&
    mayAccess(call.caller, { action: "s3:BypassGovernanceRetention", bucket: call.bucketName, key: call.key })
  );
}

export function getObjectLockConfiguration(call: S3Call): S3Reply {
  requireLockSupport(call);
  const { objectLock } = requireBucket(call);
  if (objectLock === undefined) throw new S3Error("ObjectLockConfigurationNotFoundError");
  const { rule } = objectLock;
  const ruleElement: XmlElement[] =
    rule === undefined
      ? []
      : [
          [
            "Rule",
            [
              [
                "DefaultRetention",
                [
                  ["Mode", rule.mode],
                  ["Days", rule.days],
                ],
              ],
            ],
          ],
        ];
  return {
    status: 200,
    body: formatXml("ObjectLockConfiguration", [["ObjectLockEnabled", "Enabled"], ...ruleElement]),
  };
}

export async function putObjectLockConfiguration(call: S3Call): Promise<S3Reply> {
  requireLockSupport(call);
  const bucket = requireBucket(call);
  requireBodyDigest(call);
  const document = parseXml(await receiveText(call), "ObjectLockConfiguration");
  if (textOf(document, "ObjectLockEnabled") !== "Enabled") throw new S3Error("MalformedXML");
  if (bucket.versioning !== "Enabled")
    throw new S3Error("InvalidBucketState", {
      message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
    });
  bucket.objectLock = { rule: childrenOf(document, "Rule").map(parseRule)[0] };
  return { status: 200 };
}

function parseRule(rule: XmlNode): { mode: Retention["mode"]; days: number } {
  const [retention] = childrenOf(rule, "DefaultRetention");
  const mode = retention && textOf(retention, "Mode");
  const days = Number(
    (retention && textOf(retention, "Days")) ?? 365 * Number((retention && textOf(retention, "Years")) ?? NaN),
  );
  if ((mode !== "GOVERNANCE" && mode !== "COMPLIANCE") || !(days > 0)) throw new S3Error("MalformedXML");
  return { mode, days };
}

export function getObjectRetention(call: S3Call): S3Reply {
  const { retention } = requireLockedVersion(call);
  if (retention === undefined) throw new S3Error("NoSuchObjectLockConfiguration");
  return {
    status: 200,
    body: formatXml("Retention", [
      ["Mode", retention.mode],
      ["RetainUntilDate", new Date(retention.until).toISOString()],
    ]),
  };
}

export async function putObjectRetention(call: S3Call): Promise<S3Reply> {
  const version = requireLockedVersion(call);
  requireBodyDigest(call);
  const document = parseXml(await receiveText(call), "Retention");
  const retention = parseRetention(textOf(document, "Mode"), textOf(document, "RetainUntilDate"), call.state.now());
  const current = version.retention;
  const shortens =
    current !== undefined &&
    current.until > call.state.now() &&
    (retention.until < current.until || retention.mode !== current.mode);
  if (current !== undefined && shortens && !mayBypass(call, current)) {
    throw new S3Error("AccessDenied", { message: "Access Denied because object protected by object lock." });
  }
  version.retention = retention;
  return { status: 200 };
}

export function getObjectLegalHold(call: S3Call): S3Reply {
  const { legalHold } = requireLockedVersion(call);
  return { status: 200, body: formatXml("LegalHold", [["Status", legalHold ? "ON" : "OFF"]]) };
}

export async function putObjectLegalHold(call: S3Call): Promise<S3Reply> {
  const version = requireLockedVersion(call);
  requireBodyDigest(call);
  const status = textOf(parseXml(await receiveText(call), "LegalHold"), "Status");
  if (status !== "ON" && status !== "OFF") throw new S3Error("MalformedXML");
  version.legalHold = status === "ON";
  return { status: 200 };
}

function requireLockedVersion(call: S3Call): ObjectVersion {
  requireLockSupport(call);
  const bucket = requireBucket(call);
  if (bucket.objectLock === undefined)
    throw new S3Error("InvalidRequest", { message: "Bucket is missing Object Lock Configuration" });
  return requireVersion(call, bucket);
}

function requireLockSupport(call: S3Call): void {
  if (!call.state.rules.objectLock) throw new S3Error("NotImplemented");
}
