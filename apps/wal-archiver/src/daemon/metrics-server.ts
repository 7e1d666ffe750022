import { createServer } from "node:http";
import { formatArchiverMetrics, type ArchiverStatus } from "@soar/archive/status";
import { SoarError } from "@soar/errors";
import { EXPOSITION_CONTENT_TYPE } from "@soar/metrics";

export interface MetricsSources {
  readonly status: () => ArchiverStatus;
  /** Whether the archiver does its work, or tries to: a provider that is down is no reason to restart it. */
  readonly isAlive: () => boolean;
}

/** Serves `/metrics` and `/healthz`. Rejects with `CONFIG_INVALID` when the address cannot be listened on. */
export async function startMetricsServer(
  address: string,
  { status, isAlive }: MetricsSources,
): Promise<{ close(): Promise<void> }> {
  const [, host, port] = /^(?:\[?([^\]]*)\]?:)?(\d{1,5})$/.exec(address) ?? [];
  const server = createServer((request, response) => {
    const isHealth = request.url === "/healthz";
    if (request.method !== "GET" || (!isHealth && request.url !== "/metrics")) {
      response.writeHead(404).end();
      return;
    }
    const isWell = !isHealth || isAlive();
    response.writeHead(isWell ? 200 : 503, {
      "content-type": isHealth ? "text/plain; charset=utf-8" : EXPOSITION_CONTENT_TYPE,
    });
    response.end(!isHealth ? formatArchiverMetrics(status()) : isWell ? "ok\n" : "pg_wal cannot be looked at\n");
  });
  const invalid = (fact: string, cause?: unknown): SoarError =>
    new SoarError("CONFIG_INVALID", `unable to listen on '${address}': ${fact}`, {
      cause,
      hint: "Give --listen a free address such as 127.0.0.1:9187.",
    });
  if (port === undefined || Number(port) > 65_535) throw invalid("it is not of the form HOST:PORT");
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(invalid(cause.message, cause)));
    server.listen({ host: host || "127.0.0.1", port: Number(port) }, resolve);
  });
  return {
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
