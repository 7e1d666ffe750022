import type { ErrorCode } from "@soar/errors";
import type { S3Settings } from "./settings.ts";

/** What one failed request was about, for the message. */
export interface S3FailureContext {
  readonly settings: Pick<S3Settings, "bucket" | "endpoint" | "region" | "provider" | "nameOf">;
  /** Completes "unable to ...", with the object's full name. */
  readonly action: string;
  readonly key?: string | undefined;
}

/** What a failed request means to the caller; without `retryable`, what the table of codes says. */
export interface FailureMeaning {
  readonly code: ErrorCode;
  readonly fact: string;
  readonly hint?: string | undefined;
  readonly retryable?: boolean | undefined;
}
