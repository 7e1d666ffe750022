import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { CONTROL_PATH, type ControlHandler } from "./control.ts";
import type { RequestHandler } from "./handle-request.ts";
import type { SelfSignedCertificate } from "./self-signed-certificate.ts";

export interface ListenOptions {
  readonly port: number;
  readonly handle: RequestHandler;
  /** Undefined keeps the side door shut. */
  readonly control: ControlHandler | undefined;
  readonly certificate: SelfSignedCertificate | undefined;
}

export interface Listener {
  readonly port: number;
  /** Resets open connections. */
  readonly close: () => Promise<void>;
}

export async function listen({ port, handle, control, certificate }: ListenOptions): Promise<Listener> {
  // No timeouts of the server's own: those are the client's business, and tests provoke them by faults.
  const settings = { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, noDelay: true };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const isControl = control !== undefined && request.url?.startsWith(CONTROL_PATH) === true;
    void (isControl ? control(request, response) : handle(request, response, { expectsContinue: false }));
  };
  const server: Server =
    certificate === undefined
      ? createHttpServer(settings, onRequest)
      : createHttpsServer({ ...settings, cert: certificate.certPem, key: certificate.keyPem }, onRequest);
  server.on(
    "checkContinue",
    (request: IncomingMessage, response: ServerResponse) => void handle(request, response, { expectsContinue: true }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
