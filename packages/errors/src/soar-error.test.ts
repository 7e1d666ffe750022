import { describe, expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "./error-codes.ts";
import { asError, exitStatusOf, hasErrorCode, isRetryable, messageOf, SoarError } from "./soar-error.ts";

describe("the error table", () => {
  const rows = Object.entries(ERROR_CODES);

  test("gives every failure an exit status of its own within 2..125", () => {
    const statuses = rows.map(([, row]) => row.exitStatus);
    expect(new Set(statuses).size).toBe(rows.length);
    expect(statuses.filter((status) => !Number.isInteger(status) || status < 2 || status > 125)).toEqual([]);
  });

  test("names subjects and states in capitals and explains each in one sentence", () => {
    expect(rows.filter(([code]) => !/^[A-Z]+(_[A-Z]+)*$/.test(code))).toEqual([]);
    expect(rows.filter(([, row]) => !/^[A-Z].*\.$/.test(row.meaning))).toEqual([]);
  });
});

describe("SoarError", () => {
  test("carries code, hint, cause and the table's retryability", () => {
    const cause = new Error("socket hang up");
    const error = new SoarError("STORE_UNREACHABLE", "unable to reach 'https://s3.example'", {
      hint: "Check the endpoint.",
      cause,
    });
    expect(error).toMatchObject({ code: "STORE_UNREACHABLE", hint: "Check the endpoint.", cause, retryable: true });
    expect(isRetryable(error)).toBe(true);
    expect(isRetryable(new SoarError("STORE_UNREACHABLE", "deadline passed", { retryable: false }))).toBe(false);
    expect(isRetryable(new Error("a bug"))).toBe(false);
  });

  test("is recognised across two installed copies of the package", () => {
    class OtherCopy extends Error {
      readonly code: ErrorCode = "WAL_CONFLICT";
      readonly retryable = false;
    }
    expect(hasErrorCode(new OtherCopy("x"), "WAL_MISSING", "WAL_CONFLICT")).toBe(true);
    expect(hasErrorCode(new OtherCopy("x"), "WAL_MISSING")).toBe(false);
    expect(exitStatusOf(new OtherCopy("x"))).toBe(52);
  });

  test("does not mistake a system error for its own", () => {
    const systemError = Object.assign(new Error("no such file"), { code: "ENOENT" });
    expect(hasErrorCode(systemError, "OBJECT_MISSING")).toBe(false);
    expect(exitStatusOf(systemError)).toBe(70);
  });

  test("removes secrets from message and hint", () => {
    const error = new SoarError("STORE_DENIED", "refused AKIAABCDEFGHIJKLMNOP", {
      hint: "See postgres://u:hunter22@db/x.",
    });
    expect(error.message).toBe("refused [hidden]");
    expect(error.hint).toBe("See postgres://u:[hidden]@db/x.");
  });
});

describe("what was thrown", () => {
  test("is an error as it is, with its own message", () => {
    const error = new SoarError("STORE_DENIED", "access is denied");
    expect(asError(error)).toBe(error);
    expect(messageOf(error)).toBe("access is denied");
  });

  test("may be anything, and is told all the same", () => {
    expect(asError("no reason")).toEqual(new Error("no reason"));
    expect([messageOf("no reason"), messageOf(undefined), messageOf(42)]).toEqual(["no reason", "undefined", "42"]);
  });
});
