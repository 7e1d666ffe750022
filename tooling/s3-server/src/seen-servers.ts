import { AWS, invalidPartNumber, NOT_IMPLEMENTED, type ProfileRules } from "./profile-rules.ts";
import { refusalOf, type Refusal } from "./s3-error.ts";

/** As seen on Debian's packages on 2026-11-29: docs/providers.md, "Other servers, as seen". */

const BUSY_COMPLETION: Refusal = {
  status: 500,
  code: "InternalError",
  message: "This multipart completion is already in progress",
};

const CEPH_20: ProfileRules = {
  ...AWS,
  kms: false,
  storageClasses: ["STANDARD"],
  regions: "any",
  region: "us-east-1",
  endedUpload: { ...AWS.endedUpload, complete: BUSY_COMPLETION, again: "answered" },
};

const CEPH_18: ProfileRules = {
  ...CEPH_20,
  conditionalComplete: "ignored",
  endedUpload: { ...CEPH_20.endedUpload, etags: ["plain", "empty"] },
};

const CEPH_16: ProfileRules = { ...CEPH_18, endedUpload: { ...CEPH_20.endedUpload, etags: ["empty", "quoted"] } };

/** An object is stamped when its PUT begins: of two that overlap, the one that began last stays. */
const SWIFT_2_38: ProfileRules = {
  ...AWS,
  conditionJudged: "at-begin",
  maxParts: 1_000,
  tooManyParts: invalidPartNumber(1_000),
  versioning: "none",
  objectLock: false,
  lifecycle: false,
  kms: false,
  storageClasses: ["STANDARD"],
  unknownKey: "SignatureDoesNotMatch",
  regions: "any",
  region: "us-east-1",
  endedUpload: { ...AWS.endedUpload, abort: refusalOf("NoSuchKey"), part: "accepted", again: "answered" },
};

const SWIFT_2_35: ProfileRules = {
  ...SWIFT_2_38,
  conditionalPut: NOT_IMPLEMENTED,
  completionPrecondition: {
    status: 412,
    code: "InvalidRequest",
    message: "At least one of the pre-conditions you specified did not hold",
  },
};

const FAILURE: Refusal = { status: 500, code: "Error", message: "Internal Server Error" };

/** Without its listing of unfinished uploads, which were all begun in 2010, and without its leniency about signatures. */
const MOTO_5_2: ProfileRules = {
  ...AWS,
  contentMd5: "unchecked",
  regions: "any",
  region: "us-east-1",
  endedUpload: { ...AWS.endedUpload, complete: FAILURE, part: FAILURE, again: "answered" },
};

const MOTO_5_1: ProfileRules = { ...MOTO_5_2, conditionalComplete: "ignored" };

export const SEEN_SERVERS = {
  "ceph-20": CEPH_20,
  "ceph-18": CEPH_18,
  "ceph-16": CEPH_16,
  "swift-2.38": SWIFT_2_38,
  "swift-2.35": SWIFT_2_35,
  "moto-5.2": MOTO_5_2,
  "moto-5.1": MOTO_5_1,
} as const satisfies Record<string, ProfileRules>;
