import type { IncomingMessage, ServerResponse } from "node:http";
import type { FaultBook, FaultRule, InjectedFault } from "./fault.ts";
import { countByOperation, type S3RequestLog } from "./request-log.ts";

/** Begins with what no bucket name can begin with. */
export const CONTROL_PATH = "/-/";

/** What can be changed from another process. */
export interface ControlSettings {
  readonly latencyMs?: number;
  readonly clockOffsetMs?: number;
  readonly quotaBytes?: number;
}

export interface ControlOptions {
  readonly faults: FaultBook;
  readonly requests: readonly S3RequestLog[];
  readonly apply: (settings: ControlSettings) => void;
}

export type ControlHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * A side door for tests that run the server in a process of its own, in JSON and without signatures:
 * `POST faults` (a rule) gives `{id}`; `GET faults` gives the rules and their hits; `DELETE faults[/id]`;
 * `POST faults/id/release`; `GET requests?since=NUMBER`; `GET counts`; `PUT settings`.
 */
export function createControl({ faults, requests, apply }: ControlOptions): ControlHandler {
  const injected = new Map<string, InjectedFault>();
  let lastId = 0;
  const register = (fault: InjectedFault): { id: string } => {
    lastId += 1;
    injected.set(String(lastId), fault);
    return { id: String(lastId) };
  };
  const routes: readonly (readonly [RegExp, (id: string, body: unknown, since: number) => unknown])[] = [
    [/^POST faults$/, (_, rule) => register(faults.inject(rule as FaultRule))],
    [/^GET faults$/, () => [...injected].map(([id, { rule, hits }]) => ({ id, rule, hits }))],
    [/^DELETE faults$/, () => (faults.clear(), injected.clear())],
    [/^DELETE faults\/(\d+)$/, (id) => injected.get(id)?.remove()],
    [/^POST faults\/(\d+)\/release$/, (id) => injected.get(id)?.release()],
    [/^GET requests$/, (_id, _body, since) => requests.slice(since)],
    [/^GET counts$/, () => countByOperation(requests)],
    [/^PUT settings$/, (_, settings) => apply(settings as ControlSettings)],
  ];
  return async (request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const wanted = `${request.method ?? ""} ${url.pathname.slice(CONTROL_PATH.length)}`;
    const text = await readText(request);
    const route = routes.find(([pattern]) => pattern.test(wanted));
    const id = route?.[0].exec(wanted)?.[1] ?? "";
    const result = route?.[1](
      id,
      text === "" ? undefined : JSON.parse(text),
      Number(url.searchParams.get("since") ?? 0),
    );
    response.writeHead(route === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(result ?? {}));
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
