import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { receiveText, requireBodyDigest } from "../receive-body.ts";
import { S3Error } from "../s3-error.ts";
import { childrenOf, formatXml, parseXml, textOf, type XmlElement, type XmlNode } from "../xml.ts";

const ACTIONS = [
  "Expiration",
  "Transition",
  "NoncurrentVersionExpiration",
  "NoncurrentVersionTransition",
  "AbortIncompleteMultipartUpload",
];
const MAX_RULES = 1000;

export function getBucketLifecycle(call: S3Call): S3Reply {
  requireLifecycleSupport(call);
  const { lifecycle } = requireBucket(call);
  if (lifecycle === undefined) throw new S3Error("NoSuchLifecycleConfiguration");
  return { status: 200, body: formatXml("LifecycleConfiguration", lifecycle.children.map(toElement)) };
}

/** Keeps a configuration after checking it as S3 does. Nothing is expired here: only clocks of days would show it. */
export async function putBucketLifecycle(call: S3Call): Promise<S3Reply> {
  requireLifecycleSupport(call);
  const bucket = requireBucket(call);
  requireBodyDigest(call);
  const document = parseXml(await receiveText(call), "LifecycleConfiguration");
  const rules = childrenOf(document, "Rule");
  if (rules.length === 0 || rules.length > MAX_RULES || rules.length !== document.children.length)
    throw new S3Error("MalformedXML");
  rules.forEach((rule) => checkRule(call, rule));
  const ids = rules.map((rule) => textOf(rule, "ID")).filter((id) => id !== undefined);
  if (new Set(ids).size !== ids.length)
    throw new S3Error("InvalidArgument", { message: "Rule ID must be unique. Found same ID for more than one rule" });
  bucket.lifecycle = document;
  return { status: 200 };
}

export function deleteBucketLifecycle(call: S3Call): S3Reply {
  requireLifecycleSupport(call);
  requireBucket(call).lifecycle = undefined;
  return { status: 204 };
}

function checkRule(call: S3Call, rule: XmlNode): void {
  const status = textOf(rule, "Status");
  const actions = rule.children.filter(({ name }) => ACTIONS.includes(name));
  if (status !== "Enabled" && status !== "Disabled") throw new S3Error("MalformedXML");
  if ((childrenOf(rule, "Filter").length === 1) === (childrenOf(rule, "Prefix").length === 1))
    throw new S3Error("MalformedXML");
  if (actions.length === 0)
    throw new S3Error("InvalidRequest", { message: "At least one action needs to be specified in a rule" });
  for (const action of actions) checkAction(call, action);
}

function checkAction(call: S3Call, action: XmlNode): void {
  for (const { name, text } of action.children) {
    if (!/Days|DaysAfterInitiation$/.test(name)) continue;
    if (!/^[1-9]\d*$/.test(text.trim()) && !(name === "Days" && action.name === "Transition" && text.trim() === "0")) {
      throw new S3Error("InvalidArgument", {
        message: `'${name}' for ${action.name} action must be a positive integer`,
      });
    }
  }
  const storageClass = textOf(action, "StorageClass");
  if (
    action.name.endsWith("Transition") &&
    (storageClass === undefined || !call.state.rules.storageClasses.includes(storageClass))
  )
    throw new S3Error("MalformedXML");
  const marker = textOf(action, "ExpiredObjectDeleteMarker");
  if (action.name === "Expiration" && marker !== undefined && action.children.length > 1)
    throw new S3Error("MalformedXML");
}

function toElement({ name, children, text }: XmlNode): XmlElement {
  return [name, children.length > 0 ? children.map(toElement) : text.trim()];
}

function requireLifecycleSupport({ state: { rules } }: S3Call): void {
  if (!rules.lifecycle) throw new S3Error("NotImplemented");
}
