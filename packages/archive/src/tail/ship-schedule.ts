export interface ShipScheduleOptions {
  /** At least so long from the start of one shipment to that of the next; 0 for back to back. */
  readonly intervalMs: number;
  /** Ships what there is. */
  readonly ship: () => Promise<void>;
  /** Gets what `ship` rejects with; nothing is shipped afterwards. */
  readonly onFailure: (error: unknown) => void;
}

/** Ships at once after a pause, then every interval in which there is something; never two shipments at a time. */
export interface ShipSchedule {
  /** There is something to ship. */
  wake(): void;
  /** Resolves when nothing is being shipped, and nothing will be. */
  stop(): Promise<void>;
}

export function createShipSchedule({ intervalMs, ship, onFailure }: ShipScheduleOptions): ShipSchedule {
  let lastStart = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let [isAsked, isStopped] = [false, false];
  const run = async (): Promise<void> => {
    timer = undefined;
    isAsked = false;
    lastStart = performance.now();
    try {
      await ship();
    } catch (error) {
      isStopped = true;
      onFailure(error);
    }
    running = undefined;
    if (isAsked) arm();
  };
  const arm = (): void => {
    if (isStopped || timer !== undefined || running !== undefined) return;
    timer = setTimeout(() => void (running = run()), Math.max(0, lastStart + intervalMs - performance.now()));
  };
  return {
    wake() {
      isAsked = true;
      arm();
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
