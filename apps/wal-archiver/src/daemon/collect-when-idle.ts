import { collectGarbage } from "@soar/app-kit";

/** Longer than the archiver's threads and connections stay without work: what they held is garbage then. */
const IDLE_MS = 15_000;

/**
 * Gives memory back when nothing was archived for a while: a quiet server's archiver allocates too little for Node to collect by itself
 * what a backlog has left, for hours. The function is told of each file.
 */
export function collectWhenIdle(signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return () => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(collectGarbage, IDLE_MS).unref();
  };
}
