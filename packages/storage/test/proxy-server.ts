import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface ProxyForTest extends AsyncDisposable {
  readonly url: string;
  /** What was asked for: `CONNECT host:port`, or method and whole address. */
  readonly asked: string[];
}

export interface ProxyOptions {
  /** Where everything is sent, whatever was asked for: the proxy alone knows the way. */
  readonly to: number;
  /** `user:password` that it demands. */
  readonly demands?: string | undefined;
  /** Answers every request so. */
  readonly refuses?: number | undefined;
  /** Never answers. */
  readonly isSilent?: boolean | undefined;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** A proxy as they stand in front of private networks. */
export async function startProxy({ to, demands, refuses, isSilent = false, tls }: ProxyOptions): Promise<ProxyForTest> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const refusalFor = ({ headers }: IncomingMessage): number | undefined => {
    const given = Buffer.from(headers["proxy-authorization"]?.replace(/^Basic /, "") ?? "", "base64").toString();
    return demands !== undefined && given !== demands ? 407 : refuses;
  };
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket)).on("error", () => undefined);
  });
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    asked.push(`CONNECT ${request.url ?? ""}`);
    socket.on("error", () => undefined);
    if (isSilent) return;
    const refusal = refusalFor(request);
    if (refusal !== undefined) return void socket.end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`);
    const onward = connect(to, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.once("close", () => onward.destroy());
  });
  server.on("request", (request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    const refusal = refusalFor(request);
    if (refusal !== undefined) return void response.writeHead(refusal, { "content-length": 0 }).end();
    const { pathname, search } = new URL(request.url ?? "");
    const onward = httpRequest(
      { port: to, method: request.method, path: pathname + search, headers: request.headers },
      (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 0, answer.headers)),
    );
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
