import { SoarError } from "@soar/errors";
import { describe, expect, test } from "vitest";
import { liftTransactionLimit } from "./transaction-limit.ts";

const failure = (cause: unknown): SoarError => new SoarError("SERVER_FAILED", "unable to connect", { cause });
const serverError = (fields: Readonly<Record<string, string>>): Error => Object.assign(new Error("too late"), fields);

/** Tries that were made, the first of which fails with this, and what came out. */
async function triesAfter(refusal: Error): Promise<readonly unknown[]> {
  const tries: unknown[] = [];
  // Fails at first, as a server does whose limit is over.
  const answers: (() => string)[] = [
    () => {
      throw refusal;
    },
    () => "open",
  ];
  async function open(settings: unknown): Promise<string> {
    tries.push(settings);
    return await Promise.resolve((answers.shift() ?? String)());
  }
  try {
    tries.push(await liftTransactionLimit(open));
  } catch (thrown) {
    tries.push(thrown);
  }
  return tries;
}

describe("a session that a transaction_timeout ends", () => {
  test.each([
    ["at the login", serverError({ code: "25P04" })],
    ["in its first statement", serverError({ sqlState: "25P04" })],
  ])("%s is opened once more, without the limit", async (_, cause) => {
    expect(await triesAfter(failure(cause))).toEqual([{}, { transaction_timeout: "0" }, "open"]);
  });

  test.each([
    ["what the server says otherwise", failure(serverError({ code: "28P01", sqlState: "28P01" }))],
    ["what is no error of a server", failure("refused")],
    ["what nobody expected", new Error("25P04")],
  ])("is not confused with %s", async (_, error) => {
    expect(await triesAfter(error)).toEqual([{}, error]);
  });
});
