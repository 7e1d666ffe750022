import type { S3AdminWire, WireLifecycleFilter, WireLifecycleRule } from "./admin-wire.ts";
import { countOf, dateOf, documentOf, truthOf } from "./answer-values.ts";
import { underSignal } from "./http-wire.ts";
import { openRequests } from "./open-requests.ts";
import type { S3Request } from "./requests.ts";
import type { S3Settings } from "./settings.ts";
import { adminThroughRenewal } from "./through-renewal.ts";
import type { WireCall } from "./wire.ts";
import { elementOf, elementsOf, textOf, type XmlElement } from "./xml.ts";

/** Requests about the bucket itself, as they are sent. */
export function createS3AdminWire(settings: S3Settings): S3AdminWire {
  const { requests, chain } = openRequests(settings, () => undefined);
  const ask = async (more: Pick<S3Request, "query" | "isOfAccount">, { signal }: WireCall): Promise<XmlElement> =>
    documentOf(await requests.read({ method: "GET", ...more, call: underSignal(signal) }));
  const wire: S3AdminWire = {
    getVersioning: async (call) => textOf(await ask({ query: { versioning: "" } }, call), "Status"),
    getLifecycle: async (call) => elementsOf(await ask({ query: { lifecycle: "" } }, call), "Rule").map(ruleOf),
    getObjectLock: async (call) => {
      const rule = elementOf(await ask({ query: { "object-lock": "" } }, call), "Rule");
      const retention = rule && elementOf(rule, "DefaultRetention");
      if (retention === undefined) return undefined;
      const [Mode, Days, Years] = ["Mode", "Days", "Years"].map((name) => textOf(retention, name));
      return { Mode, Days: countOf(Days), Years: countOf(Years) };
    },
    listBuckets: async (call) => {
      const buckets = elementOf(await ask({ isOfAccount: true }, call), "Buckets");
      return buckets === undefined ? [] : elementsOf(buckets, "Bucket").map((bucket) => textOf(bucket, "Name") ?? "");
    },
    serverDate: async ({ signal }) =>
      dateOf((await requests.read({ method: "HEAD", call: underSignal(signal) })).headers["date"]),
    close: () => requests.close(),
  };
  return chain === undefined ? wire : adminThroughRenewal(wire, chain);
}

function ruleOf(rule: XmlElement): WireLifecycleRule {
  const filter = elementOf(rule, "Filter");
  const expiration = elementOf(rule, "Expiration");
  const noncurrent = elementOf(rule, "NoncurrentVersionExpiration");
  const unfinished = elementOf(rule, "AbortIncompleteMultipartUpload");
  return {
    ID: textOf(rule, "ID"),
    Status: textOf(rule, "Status"),
    Prefix: textOf(rule, "Prefix"),
    Filter: filter && filterOf(filter),
    Expiration: expiration && {
      Days: countOf(textOf(expiration, "Days")),
      Date: dateOf(textOf(expiration, "Date")),
      ExpiredObjectDeleteMarker: truthOf(textOf(expiration, "ExpiredObjectDeleteMarker")),
    },
    NoncurrentVersionExpiration: noncurrent && { NoncurrentDays: countOf(textOf(noncurrent, "NoncurrentDays")) },
    AbortIncompleteMultipartUpload: unfinished && {
      DaysAfterInitiation: countOf(textOf(unfinished, "DaysAfterInitiation")),
    },
    Transitions: elementsOf(rule, "Transition").map((transition) => ({
      Days: countOf(textOf(transition, "Days")),
      StorageClass: textOf(transition, "StorageClass"),
    })),
  };
}

function filterOf(filter: XmlElement): WireLifecycleFilter {
  const and = elementOf(filter, "And");
  const tags = and === undefined ? [] : elementsOf(and, "Tag");
  return {
    ...limitsOf(filter),
    Tag: elementOf(filter, "Tag"),
    And: and && { ...limitsOf(and), Tags: tags.length === 0 ? undefined : tags },
  };
}

function limitsOf(filter: XmlElement) {
  return {
    Prefix: textOf(filter, "Prefix"),
    ObjectSizeGreaterThan: countOf(textOf(filter, "ObjectSizeGreaterThan")),
    ObjectSizeLessThan: countOf(textOf(filter, "ObjectSizeLessThan")),
  };
}
