/** A stream that one side writes and the other reads: a write resolves when the chunk has been taken. */
export interface SinkStream {
  readonly body: AsyncIterable<Buffer>;
  readonly write: (chunk: Buffer) => Promise<void>;
  end(): void;
  /** Ends both sides with this failure: writes reject with it, and so does the reading. */
  fail(error: unknown): void;
}

/** Connects a producer that is called back (a sink) with a consumer that iterates. One chunk is held at a time. */
export function openSinkStream(): SinkStream {
  let waiting:
    | { readonly chunk: Buffer; readonly taken: () => void; readonly rejected: (error: unknown) => void }
    | undefined;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: () => void = () => {};
  const body = async function* (): AsyncGenerator<Buffer> {
    for (;;) {
      if (failure !== undefined) throw failure.error;
      if (waiting !== undefined) {
        const { chunk, taken } = waiting;
        waiting = undefined;
        yield chunk;
        taken();
      } else if (ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    body: body(),
    write: async (chunk) => {
      if (failure !== undefined) throw failure.error;
      await new Promise<void>((taken, rejected) => {
        waiting = { chunk, taken, rejected };
        wake();
      });
    },
    end() {
      ended = true;
      wake();
    },
    fail(error) {
      failure ??= { error };
      waiting?.rejected(error);
      wake();
    },
  };
}
