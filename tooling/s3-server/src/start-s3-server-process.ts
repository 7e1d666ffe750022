import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CONTROL_PATH, type ControlSettings } from "./control.ts";
import type { FaultRule } from "./fault.ts";
import type { S3Profile } from "./profiles.ts";
import type { S3RequestLog } from "./request-log.ts";
import { createS3TestClient, type S3TestClientOptions } from "./s3-test-client.ts";

export interface S3ServerProcessOptions {
  readonly profile?: S3Profile;
  readonly bucket?: string | readonly string[];
  readonly directory?: string;
  readonly port?: number;
  readonly region?: string;
  readonly latencyMs?: number;
  readonly quotaBytes?: number;
  readonly etags?: "md5" | "opaque";
  readonly tls?: boolean;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** A server in a process of its own, so that it neither shares the event loop nor the memory of what is measured. */
export interface S3ServerProcess {
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly caPem: string | undefined;
  readonly pid: number;
  inject(rule: FaultRule): Promise<RemoteFault>;
  clearFaults(): Promise<void>;
  /** Requests from number `since` (0 for all), oldest first. */
  requests(since?: number): Promise<S3RequestLog[]>;
  /** Requests so far by operation. */
  counts(): Promise<Record<string, number>>;
  change(settings: ControlSettings): Promise<void>;
  /** Ends the process and waits until it is gone. Rejects when the server had an error of its own. */
  close(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
}

export interface RemoteFault {
  hits(): Promise<number>;
  release(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * The heap is small and the bodies are large: V8 marks it again and again because of these, on threads that a benchmark
 * would count as ours.
 */
const NODE_OPTIONS = ["--single-threaded-gc"];

/** Starts `main.ts`. The child also ends when this process does, however that happens. */
export async function startS3ServerProcess(options: S3ServerProcessOptions = {}): Promise<S3ServerProcess> {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const child = spawn(process.execPath, [...NODE_OPTIONS, "--conditions=soar-source", main, ...toArguments(options)], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const errors: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => void errors.push(text));
  const ready = JSON.parse(await firstLine(child, errors)) as Omit<
    S3ServerProcess,
    keyof ReturnType<typeof createRemote>
  >;
  return { ...ready, ...createRemote(child, ready, errors) };
}

function toArguments({ bucket, credentials, ...options }: S3ServerProcessOptions): string[] {
  const named: Record<string, string | number | undefined> = {
    profile: options.profile,
    directory: options.directory,
    port: options.port,
    region: options.region,
    "latency-ms": options.latencyMs,
    "quota-bytes": options.quotaBytes,
    etags: options.etags,
    "access-key-id": credentials?.accessKeyId,
    "secret-access-key": credentials?.secretAccessKey,
  };
  const buckets = bucket === undefined ? [] : [bucket].flat();
  return [
    "--until-stdin-ends",
    ...Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...buckets.map((name) => `--bucket=${name}`),
    ...(options.tls === true ? ["--tls"] : []),
  ];
}

function createRemote(child: ChildProcess, ready: S3TestClientOptions, errors: readonly string[]) {
  const client = createS3TestClient(ready);
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const { status, text } = await client.sendRaw(
      method,
      `${CONTROL_PATH}${path}`,
      {},
      body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
    );
    if (status !== 200)
      throw new Error(`unable to control the S3 test server: ${method} ${path} gave ${status} ${text}`);
    return JSON.parse(text) as T;
  };
  const exited = once(child, "exit");
  return {
    async inject(rule: FaultRule): Promise<RemoteFault> {
      const key = rule.key instanceof RegExp ? rule.key.source : rule.key;
      const { id } = await ask<{ id: string }>("POST", "faults", { ...rule, key });
      return {
        hits: async () =>
          (await ask<{ id: string; hits: number }[]>("GET", "faults")).find((fault) => fault.id === id)?.hits ?? 0,
        release: async () => void (await ask("POST", `faults/${id}/release`)),
        remove: async () => void (await ask("DELETE", `faults/${id}`)),
      };
    },
    clearFaults: async (): Promise<void> => void (await ask("DELETE", "faults")),
    requests: (since = 0): Promise<S3RequestLog[]> => ask("GET", `requests?since=${since}`),
    counts: (): Promise<Record<string, number>> => ask("GET", "counts"),
    change: async (settings: ControlSettings): Promise<void> => void (await ask("PUT", "settings", settings)),
    async close(): Promise<void> {
      client.close();
      child.kill("SIGTERM");
      const [status] = (await exited) as [number | null];
      if (status !== 0) throw new Error(`the S3 test server ended with ${status ?? "a signal"}: ${errors.join("")}`);
    },
    async kill(): Promise<void> {
      client.close();
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function firstLine({ stdout }: ChildProcess, errors: readonly string[]): Promise<string> {
  let text = "";
  for await (const chunk of (stdout?.setEncoding("utf8").iterator({ destroyOnReturn: false }) ??
    []) as AsyncIterable<string>) {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error(`unable to start the S3 test server: ${errors.join("")}`);
}
