import { isSoarError } from "@soar/errors";

/** `transaction_timeout`, since PostgreSQL 17 (PostgreSQL documentation, "PostgreSQL Error Codes"). */
const OUT_OF_TIME = "25P04";

/**
 * Opens a session although a `transaction_timeout` of the role, the database or the server may be over before the session
 * can lift it: then once more, with the setting among those of the login. It is not there from the start because servers
 * before 17 refuse a setting that they do not know.
 */
export async function liftTransactionLimit<T>(
  open: (settings: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  try {
    return await open({});
  } catch (error) {
    if (!isOutOfTime(error)) throw error;
    return await open({ transaction_timeout: "0" });
  }
}

function isOutOfTime(error: unknown): boolean {
  if (!isSoarError(error) || !(error.cause instanceof Error)) return false;
  const { cause } = error;
  // pg names it `code`, we `sqlState`.
  return ("sqlState" in cause && cause.sqlState === OUT_OF_TIME) || ("code" in cause && cause.code === OUT_OF_TIME);
}
