import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { endAllPrograms } from "@soar/programs";

/**
 * Ends the process with a status, and the programs that it runs with it. `process.exit` by itself may never return: Node joins its compiler threads without letting them
 * ask the main thread for a garbage collection that one of them is waiting for (nodejs/node#54918; seen with Node 24 in one
 * of twenty runs on a busy machine). So no compilation is begun from here on, and there is room for those that are under way.
 */
export function exitProcess(status: number): never {
  endAllPrograms();
  for (const flag of ["--no-maglev", "--no-turbofan", "--expose-gc"]) setFlagsFromString(flag);
  (runInNewContext("gc") as () => void)();
  process.exit(status);
}
