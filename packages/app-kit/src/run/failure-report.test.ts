import { SoarError } from "@soar/errors";
import { expect, test } from "vitest";
import { abortedBy, withSignal } from "./failure-report.ts";

test("a run that was ended tells the signal, and what came of it where an error says both", () => {
  const reason = abortedBy("SIGTERM", { name: "soar-restore" });
  const signal = AbortSignal.abort(reason);
  const own = new SoarError("ABORTED", "unable to start the server: stopped by the caller");
  const more = new SoarError("ABORTED", `${reason.message}; the server runs again`, { cause: reason });
  const other = new SoarError("DISK_FULL", "unable to write");
  expect([own, more, other, reason].map((error) => withSignal(error, signal))).toEqual([reason, more, other, reason]);
  expect(withSignal(new DOMException("aborted", "AbortError"), signal)).toBe(reason);
  expect(withSignal(own, new AbortController().signal)).toBe(own);
});
