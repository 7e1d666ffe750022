export { ERROR_CODES, type ErrorCode, type ErrorCodeRow } from "./error-codes.ts";
export { HIDDEN, redactSecrets, registerSecret } from "./redaction.ts";
export {
  asError,
  exitStatusOf,
  hasErrorCode,
  isRetryable,
  isSoarError,
  messageOf,
  SoarError,
  type SoarErrorOptions,
} from "./soar-error.ts";
