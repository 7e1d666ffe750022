import type { Log } from "@soar/app-kit";
import { messageOf } from "@soar/errors";
import { runProgram } from "@soar/programs";

/** The next sign of life is due long before. */
const PATIENCE_MS = 10_000;

/** What systemd is told. Node has no unix datagram sockets, so the `systemd-notify` program carries it (`NotifyAccess=all`). */
export interface ServiceManager {
  ready(status: string): void;
  stopping(): void;
  /** Tells systemd that we live, as often as the unit's WatchdogSec wants, for as long as `isAlive` says so. */
  watch(isAlive: () => boolean): void;
  close(): void;
}

/** Does nothing outside of systemd. */
export function connectServiceManager(env: NodeJS.ProcessEnv, log: Pick<Log, "warn">): ServiceManager {
  const isManaged = (env["NOTIFY_SOCKET"] ?? "") !== "";
  let timer: NodeJS.Timeout | undefined;
  let hasFailed = false;
  const fail = (fact: string): void => {
    if (!hasFailed) log.warn(`unable to notify systemd: ${fact}; it may take this service for one that hangs`);
    hasFailed = true;
  };
  const notify = (...words: string[]): void => {
    if (!isManaged) return;
    // It may be on its way when we end.
    runProgram("systemd-notify", words, { env, timeoutMs: PATIENCE_MS, mayOutlive: true }).then(
      ({ status, ending }) => status !== 0 && fail(ending),
      (error: unknown) => fail(messageOf(error)),
    );
  };
  return {
    ready: (status) => notify("--ready", `--pid=${process.pid}`, `--status=${status}`),
    stopping: () => notify("STOPPING=1"),
    watch(isAlive) {
      const everyMs = Number(env["WATCHDOG_USEC"]) / 2_000;
      if (!isManaged || !(everyMs > 0)) return;
      timer = setInterval(() => isAlive() && notify("WATCHDOG=1"), everyMs);
    },
    close: () => clearInterval(timer),
  };
}
