import { createServer } from "node:net";

/** A TCP port on 127.0.0.1 that nobody listens on at this moment. Others may take it: callers try again with another one. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("unable to find a free port: no address");
  return address.port;
}
