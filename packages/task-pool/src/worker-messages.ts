import type { ErrorCode } from "@soar/errors";

/** A task on its way to a worker thread. */
export interface WorkerRequest<Task> {
  readonly id: number;
  readonly task: Task;
}

export type WorkerReply<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly failure: WorkerFailure };

/** An error as it crosses between threads: the class is lost there, the code is not. */
export interface WorkerFailure {
  readonly message: string;
  readonly stack: string | undefined;
  /** Set for a `SoarError`. */
  readonly code: ErrorCode | undefined;
  readonly hint: string | undefined;
  /** Set for an error of the operating system, for example `ENOSPC`. */
  readonly systemCode: string | undefined;
}
