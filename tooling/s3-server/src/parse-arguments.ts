import { parseArgs } from "node:util";
import { isS3Profile, PROFILES } from "./profiles.ts";
import type { S3ServerOptions } from "./start-s3-server.ts";

export interface MainOptions {
  readonly server: S3ServerOptions;
  /** End when standard input ends, which it does when a parent process dies. */
  readonly untilStdinEnds: boolean;
}

/** Reads the command line of `main.ts`. Throws a TypeError that says what is wrong. */
export function parseArguments(args: readonly string[]): MainOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string" },
      directory: { type: "string" },
      bucket: { type: "string", multiple: true },
      profile: { type: "string", default: "aws" },
      region: { type: "string" },
      etags: { type: "string", default: "md5" },
      "latency-ms": { type: "string" },
      "quota-bytes": { type: "string" },
      "access-key-id": { type: "string" },
      "secret-access-key": { type: "string" },
      tls: { type: "boolean", default: false },
      "until-stdin-ends": { type: "boolean", default: false },
    },
  });
  const { profile } = values;
  if (!isS3Profile(profile))
    throw new TypeError(`unknown profile '${profile}': one of ${Object.keys(PROFILES).join(", ")}`);
  const { "access-key-id": accessKeyId, "secret-access-key": secretAccessKey } = values;
  const server = {
    profile,
    etags: toEtags(values.etags),
    tls: values.tls,
    control: true,
    port: toNumber("port", values.port),
    latencyMs: toNumber("latency-ms", values["latency-ms"]),
    quotaBytes: toNumber("quota-bytes", values["quota-bytes"]),
    directory: values.directory,
    bucket: values.bucket,
    region: values.region,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey },
  };
  return { server: withoutUndefined(server), untilStdinEnds: values["until-stdin-ends"] };
}

function toEtags(text: string): "md5" | "opaque" {
  if (text !== "md5" && text !== "opaque") throw new TypeError(`unknown kind of ETags '${text}': md5 or opaque`);
  return text;
}

function toNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new TypeError(`--${name} is '${text}', not a number`);
  return Number(text);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
