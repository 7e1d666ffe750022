import { createServer } from "node:net";

/** Below the ports that the kernel gives to outgoing connections and to listeners that ask for any (`ip_local_port_range`). */
const FIRST = 10_240;
const BLOCK = 500;
const BLOCKS = 40;

/** Processes that test side by side have blocks of their own: vitest's pool for its workers, the process itself for others. */
const block = Number(process.env["VITEST_POOL_ID"] ?? process.pid) % BLOCKS;
let next = process.pid % BLOCK;

/**
 * A TCP port on 127.0.0.1 that nobody listens on, and that is not given to anybody else while a test holds it without
 * listening: neither to a connection by the kernel nor to another test by this function.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < BLOCK; tried += 1) {
    const port = FIRST + block * BLOCK + next;
    next = (next + 1) % BLOCK;
    if (await isFree(port)) return port;
  }
  throw new Error(`unable to find a free port: all from ${FIRST + block * BLOCK} on are taken`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return false;
    throw error;
  }
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return true;
}
