import { fileURLToPath, pathToFileURL } from "node:url";
import { SoarError } from "@soar/errors";

/** Where a store is, without credentials or endpoint. */
export type StoreUrl =
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** Without slashes around it; may be empty. */ readonly prefix: string;
    }
  | { readonly kind: "file"; /** Absolute. */ readonly directory: string }
  | { readonly kind: "memory"; readonly name: string };

/** S3's rule for bucket names, a little wider for other providers: capitals and underscores exist in old buckets. */
const BUCKET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;

const EXAMPLES = "Use for example 's3://bucket/prefix' or 'file:///var/backups/cluster1'.";

/** Reads `s3://bucket/prefix`, `file:///dir` or `memory:name`. Throws `CONFIG_INVALID`. */
export function parseStoreUrl(url: string): StoreUrl {
  if (url.startsWith("s3://")) return parseS3(url);
  if (url.startsWith("file:")) return parseFile(url);
  if (url.startsWith("memory:")) return { kind: "memory", name: url.slice("memory:".length) };
  if (url.startsWith("/"))
    throw invalid(url, "it has no scheme", `For a directory write '${pathToFileURL(url).href}'.`);
  if (/^https?:\/\//i.test(url)) {
    throw invalid(
      url,
      "it is the address of an endpoint",
      "Put the endpoint into its own setting, and name the bucket as 's3://bucket/prefix'.",
    );
  }
  throw invalid(url, "it has no known scheme", EXAMPLES);
}

/** Inverse of `parseStoreUrl`. */
export function formatStoreUrl(url: StoreUrl): string {
  if (url.kind === "memory") return `memory:${url.name}`;
  if (url.kind === "file") return pathToFileURL(url.directory).href;
  return url.prefix === "" ? `s3://${url.bucket}` : `s3://${url.bucket}/${url.prefix}`;
}

function parseS3(url: string): StoreUrl {
  const rest = url.slice("s3://".length);
  const slash = rest.indexOf("/");
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  const prefix = slash < 0 ? "" : rest.slice(slash).replace(/^\/+|\/+$/g, "");
  if (bucket.includes("@"))
    throw invalid("s3://…", "it holds credentials", "Keep keys out of the URL; they have settings of their own.");
  if (!BUCKET_NAME.test(bucket)) throw invalid(url, `'${bucket}' is no name of a bucket`, EXAMPLES);
  if (prefix.split("/").some((segment) => segment === "." || segment === "..") || prefix.includes("//")) {
    throw invalid(url, "its prefix has an empty segment, '.' or '..'", EXAMPLES);
  }
  // A prefix is taken as it stands: in S3, '?' and '#' and '%' are ordinary characters of a key.
  return { kind: "s3", bucket, prefix };
}

function parseFile(url: string): StoreUrl {
  if (!url.startsWith("file:///"))
    throw invalid(url, "it does not name an absolute path", "Write three slashes: 'file:///var/backups/cluster1'.");
  let directory: string;
  try {
    const parsed = new URL(url);
    if (parsed.search !== "" || parsed.hash !== "")
      throw invalid(url, "it has a '?' or '#'", "Write them as %3F and %23 in a file URL.");
    directory = fileURLToPath(parsed);
  } catch (error) {
    if (error instanceof SoarError) throw error;
    throw invalid(url, "it is not a URL of a file", "Write a percent sign as %25 in a file URL.", error);
  }
  const bare = directory.replace(/\/+$/, "");
  return { kind: "file", directory: bare === "" ? "/" : bare };
}

function invalid(url: string, fact: string, hint: string, cause?: unknown): SoarError {
  return new SoarError("CONFIG_INVALID", `unable to use the store '${url}': ${fact}`, { hint, cause });
}
