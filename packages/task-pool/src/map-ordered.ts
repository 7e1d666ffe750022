import { aborted } from "./aborted.ts";

export interface MapOrderedOptions<Item> {
  /** How many items may be in work or wait for their turn. */
  readonly maxItems: number;
  /** How many finished results may wait for their turn besides, where one slow item must not hold up the others; by default none. */
  readonly maxWaiting?: number | undefined;
  /** How much `weigh` may add up to before no further item is taken; a single heavier item is still taken. */
  readonly maxWeight?: number | undefined;
  /** For example the bytes that an item and its result hold in memory. */
  readonly weigh?: ((item: Item) => number) | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether a failure is thrown without waiting for the source when that is waiting for data, as a network stream may do
   * for ever. The source is told to end either way.
   */
  readonly abandonSource?: boolean | undefined;
}

/**
 * Works on several items at once and yields the results in the order of the items. Memory is bounded by `maxItems`,
 * `maxWaiting` and `maxWeight`. When anything fails, or the consumer stops, the signal that `work` was given aborts, everything in work
 * is waited for, and the source is closed: nothing goes on behind the caller's back.
 */
export async function* mapOrdered<Item, Result>(
  source: AsyncIterable<Item> | Iterable<Item>,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
  options: MapOrderedOptions<Item>,
): AsyncGenerator<Result, void, undefined> {
  const run = new OrderedRun(source, work, options);
  try {
    for (;;) {
      const next = await run.next();
      if (next === undefined) return;
      yield next.result;
    }
  } finally {
    await run.stop();
  }
}

interface InWork<Result> {
  readonly result: Promise<Result>;
  readonly weight: number;
}

class OrderedRun<Item, Result> {
  readonly #iterator: AsyncIterator<Item> | Iterator<Item>;
  readonly #work: (item: Item, signal: AbortSignal) => Promise<Result>;
  readonly #options: MapOrderedOptions<Item>;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #inWork: InWork<Result>[] = [];
  #weight = 0;
  /** Of those in `#inWork`, how many are not finished. */
  #unfinished = 0;
  /** Resolves when the next one is. */
  #finished = Promise.withResolvers<undefined>();
  #reading: Promise<{ read: IteratorResult<Item> }> | undefined;
  #ended = false;

  constructor(
    source: AsyncIterable<Item> | Iterable<Item>,
    work: (item: Item, signal: AbortSignal) => Promise<Result>,
    options: MapOrderedOptions<Item>,
  ) {
    this.#iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#work = work;
    this.#options = options;
    this.#signal =
      options.signal === undefined ? this.#stop.signal : AbortSignal.any([options.signal, this.#stop.signal]);
  }

  /** The next result in order, undefined behind the last one. */
  async next(): Promise<{ result: Result } | undefined> {
    for (;;) {
      if (this.#signal.aborted) throw aborted(this.#signal);
      if (this.#hasRoom()) this.#reading ??= this.#read();
      const head = this.#inWork[0]?.result.then((result) => ({ result }));
      if (head === undefined && this.#reading === undefined) return undefined;
      // The result stands first: what is finished leaves memory before more is taken in.
      const step = await Promise.race([head, this.#reading, this.#freed()].filter((each) => each !== undefined));
      if (step === undefined) continue;
      if ("read" in step) {
        this.#take(step.read);
      } else {
        this.#weight -= this.#inWork.shift()?.weight ?? 0;
        return step;
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#inWork.map(({ result }) => result));
    if (this.#ended) return;
    // What the source still says comes second to the failure that brought us here.
    const closed = Promise.allSettled([this.#reading, this.#iterator.return?.()]);
    if (this.#reading === undefined || this.#options.abandonSource !== true) await closed;
  }

  #hasRoom(): boolean {
    const { maxItems, maxWaiting = 0, maxWeight = Number.POSITIVE_INFINITY } = this.#options;
    const { length } = this.#inWork;
    return !this.#ended && this.#unfinished < maxItems && length < maxItems + maxWaiting && this.#weight < maxWeight;
  }

  /** When another item is finished, where that makes room for the next one before the first one has its turn. */
  #freed(): Promise<undefined> | undefined {
    const { maxItems, maxWaiting = 0 } = this.#options;
    const waits = this.#unfinished >= maxItems && this.#inWork.length < maxItems + maxWaiting;
    return waits && !this.#ended ? this.#finished.promise : undefined;
  }

  async #read(): Promise<{ read: IteratorResult<Item> }> {
    return { read: await this.#iterator.next() };
  }

  #take(read: IteratorResult<Item>): void {
    this.#reading = undefined;
    if (read.done === true) {
      this.#ended = true;
      return;
    }
    const weight = this.#options.weigh?.(read.value) ?? 0;
    const result = this.#work(read.value, this.#signal);
    // The failure is thrown when its turn comes. Until then it must not count as unhandled, which would end the process.
    result
      .catch(() => undefined)
      .finally(() => {
        this.#unfinished--;
        this.#finished.resolve(undefined);
        this.#finished = Promise.withResolvers();
      });
    this.#unfinished++;
    this.#inWork.push({ result, weight });
    this.#weight += weight;
  }
}
