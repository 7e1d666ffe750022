export interface FetchOrderOptions {
  /** In the order of replay. */
  readonly names: readonly string[];
  /** Of these, the ones that recovery asks for a second time. */
  readonly readTwice: readonly string[];
  /** How many may be ready or being fetched at once. */
  readonly window: number;
}

/** Decides what is fetched next, from what lies ready and what has been taken. */
export class FetchOrder {
  readonly #window: number;
  readonly #waiting: string[];
  readonly #ready = new Set<string>();
  readonly #inFlight = new Set<string>();
  readonly #again: Set<string>;

  constructor({ names, readTwice, window }: FetchOrderOptions) {
    this.#waiting = [...names];
    this.#again = new Set(readTwice);
    this.#window = window;
  }

  /** Nothing more to fetch, whatever is taken of what lies ready. */
  get isDone(): boolean {
    const mayComeAgain = this.#again.size > 0 && this.#ready.size > 0;
    return this.#waiting.length === 0 && this.#inFlight.size === 0 && !mayComeAgain;
  }

  /** The next name to fetch, while there is room for it; marked as being fetched. */
  next(): string | undefined {
    if (this.#ready.size + this.#inFlight.size >= this.#window) return undefined;
    const name = this.#waiting.shift();
    if (name !== undefined) this.#inFlight.add(name);
    return name;
  }

  fetched(name: string): void {
    this.#inFlight.delete(name);
    this.#ready.add(name);
  }

  /** It is left to whoever asks for it. */
  failed(name: string): void {
    this.#inFlight.delete(name);
  }

  /** Names that lie ready as far as is known. */
  get ready(): readonly string[] {
    return [...this.#ready];
  }

  taken(name: string): void {
    this.#ready.delete(name);
    if (this.#again.delete(name)) this.#waiting.unshift(name);
  }
}
