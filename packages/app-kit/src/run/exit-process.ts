import { setFlagsFromString } from "node:v8";
import { endAllPrograms } from "@soar/programs";
import type { App } from "../options/command.ts";
import { collectGarbage } from "./collect-garbage.ts";

let hasAbandonedThreads = false;

/** What Node's own `console` uses to the same end; no public way does it. */
interface BlockingStream {
  readonly _handle?: { readonly setBlocking?: (isBlocking: boolean) => number };
}

type EndingApp = Pick<App, "whenStuck" | "endsByShell">;

/** From now on the process ends without waiting for its threads: one of them waits for something that may never come. */
export function abandonThreads(): void {
  hasAbandonedThreads = true;
}

/**
 * Ends the process with a status, and the programs that it runs with it. `process.exit` by itself may never return: Node joins its compiler threads without letting them
 * ask the main thread for a garbage collection that one of them is waiting for (nodejs/node#54918; seen with Node 24 in one
 * of twenty runs on a busy machine). So no compilation is begun from here on, and there is room for those that are under way.
 */
export function exitProcess(status: number, { whenStuck, endsByShell = false }: EndingApp): never {
  endAllPrograms();
  if (hasAbandonedThreads) exitWithoutThreads(status, whenStuck);
  if (endsByShell) becomeShell(status);
  for (const flag of ["--no-maglev", "--no-turbofan"]) setFlagsFromString(flag);
  collectGarbage();
  process.exit(status);
}

/**
 * A shell in place of this program says the status: the kernel ends all threads, so that nothing is joined and nothing collected,
 * which takes a twentieth of the processor time of an `archive_command`. Node made pipes and sockets that it writes to non-blocking, for
 * everybody who has them, and takes that back in what is left out here: a server would lose lines of its log.
 */
function becomeShell(status: number): void {
  process.exitCode = status;
  process.emit("exit", status);
  for (const stream of [process.stdout, process.stderr]) (stream as BlockingStream)._handle?.setBlocking?.(true);
  process.execve?.("/bin/sh", ["sh", "-c", `exit ${process.exitCode}`], {});
}

/**
 * `process.exit` also joins the threads of libuv and of workers, so a read that never returns holds it up for ever. Another program
 * in place of this one makes the kernel end them, and says the status.
 */
function exitWithoutThreads(status: number, whenStuck: App["whenStuck"]): never {
  whenStuck?.(status);
  becomeShell(status);
  process.kill(process.pid, "SIGKILL");
  process.exit(status);
}
