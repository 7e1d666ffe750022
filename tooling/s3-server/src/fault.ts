import type { ParsedRequest } from "./parse-request.ts";
import type { OperationName } from "./operation-names.ts";

/** What goes wrong. Bytes are body bytes; "cut" means that the connection is reset. */
export type Fault =
  /** Answers with this error and does nothing. Default: 500 InternalError. */
  | {
      readonly type: "error";
      readonly status?: number;
      readonly code?: string;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Answers as the profile does when it is overloaded (503), and does nothing. */
  | { readonly type: "busy" }
  /** Does nothing and never answers, until the rule is released. */
  | { readonly type: "stall" }
  /** Answers later. */
  | { readonly type: "delay"; readonly ms: number }
  /** Cuts after reading that much of the request's body. */
  | { readonly type: "reset-request"; readonly afterBytes: number }
  /** Stops reading the request's body, until the rule is released. */
  | { readonly type: "stall-request"; readonly afterBytes: number }
  | { readonly type: "slow-request"; readonly bytesPerSecond: number }
  /** Says that all is well after that much of a body, by the MD5 that was announced, and takes the rest as it comes. */
  | { readonly type: "early-reply"; readonly afterBytes: number }
  /** Does its work and then cuts instead of answering. */
  | { readonly type: "lost-reply" }
  /** Cuts after sending that much of the answer's body. */
  | { readonly type: "reset-response"; readonly afterBytes: number }
  /** Ends the connection politely after that much, having promised more; or promises only that much (`lie`). */
  | { readonly type: "truncate-response"; readonly afterBytes: number; readonly lie?: boolean }
  | { readonly type: "stall-response"; readonly afterBytes: number }
  | { readonly type: "slow-response"; readonly bytesPerSecond: number }
  /** Flips one bit of the answer's body. */
  | { readonly type: "corrupt-response"; readonly atByte: number }
  /** Answers 200 with an error document (CompleteMultipartUpload, CopyObject) and does nothing. */
  | { readonly type: "error-in-200"; readonly code?: string; readonly message?: string }
  /** Keeps only the beginning of a body, and says that all is well. */
  | { readonly type: "short-write"; readonly keepBytes: number }
  /** A truncated page without its continuation token. */
  | { readonly type: "no-continuation-token" }
  /** A page that is followed by itself: the token leads back to its beginning. */
  | { readonly type: "repeat-page" }
  /** A listing that says it is complete after this page. */
  | { readonly type: "early-end" }
  /** The server's clock is off for this request. */
  | { readonly type: "clock-skew"; readonly ms: number };

/** Which requests a fault meets. Conditions that are left out match everything. */
export interface FaultRule {
  readonly operation?: OperationName | readonly OperationName[];
  readonly method?: string;
  readonly bucket?: string;
  /** A regular expression; a string is one too, so that rules can travel as JSON. */
  readonly key?: RegExp | string;
  /** Part number of UploadPart. */
  readonly partNumber?: number;
  /** Regular expressions by name of header, in lower case; a header that is not there is empty. */
  readonly headers?: Readonly<Record<string, RegExp | string>>;
  /** Lets this many matching requests pass first. */
  readonly skip?: number;
  /** Number of requests to meet, 1 unless told; `"always"` for all. */
  readonly times?: number | "always";
  readonly fault: Fault;
}

/** A rule in force. */
export interface InjectedFault {
  readonly rule: FaultRule;
  /** Requests met so far. */
  readonly hits: number;
  /** Resolves with the first hit. */
  readonly firstHit: Promise<void>;
  /** Lets stalled requests go on, and stalls none any more. */
  release(): void;
  /** No further request is met; stalled ones stay stalled. */
  remove(): void;
}

/** A fault that met a request. */
export interface ActiveFault {
  readonly fault: Fault;
  /** Resolves when the rule is released. */
  readonly released: Promise<void>;
}

export interface FaultBook {
  readonly inject: (rule: FaultRule) => InjectedFault;
  /** The first rule in force that meets this request. */
  readonly meet: (request: ParsedRequest) => ActiveFault | undefined;
  rules(): readonly InjectedFault[];
  /** Removes and releases all. */
  readonly clear: () => void;
}

interface Entry extends InjectedFault {
  tryMeet(request: ParsedRequest): ActiveFault | undefined;
}

export function createFaultBook(): FaultBook {
  const entries = new Set<Entry>();
  return {
    inject(rule) {
      const entry = createEntry(rule, () => entries.delete(entry));
      entries.add(entry);
      return entry;
    },
    meet(request) {
      for (const entry of entries) {
        const active = entry.tryMeet(request);
        if (active !== undefined) return active;
      }
      return undefined;
    },
    rules: () => [...entries],
    clear() {
      for (const entry of entries) entry.release();
      entries.clear();
    },
  };
}

function createEntry(rule: FaultRule, remove: () => void): Entry {
  const { promise: firstHit, resolve: hit } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const times = rule.times === "always" ? Infinity : (rule.times ?? 1);
  let matched = 0;
  let hits = 0;
  return {
    rule,
    get hits() {
      return hits;
    },
    firstHit,
    release,
    remove,
    tryMeet(request) {
      if (!matchesRule(rule, request)) return undefined;
      matched += 1;
      if (matched <= (rule.skip ?? 0) || hits >= times) return undefined;
      hits += 1;
      hit();
      return { fault: rule.fault, released };
    },
  };
}

function matchesRule(rule: FaultRule, request: ParsedRequest): boolean {
  const operations = rule.operation === undefined ? undefined : [rule.operation].flat();
  return (
    (operations?.includes(request.operation) ?? true) &&
    (rule.method === undefined || rule.method === request.method) &&
    (rule.bucket === undefined || rule.bucket === request.bucketName) &&
    (rule.key === undefined || new RegExp(rule.key).test(request.key)) &&
    (rule.partNumber === undefined || String(rule.partNumber) === request.parameter("partNumber")) &&
    Object.entries(rule.headers ?? {}).every(([name, form]) => new RegExp(form).test(request.header(name) ?? ""))
  );
}
