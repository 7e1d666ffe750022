import { PassThrough } from "node:stream";
import { expect, test, vi } from "vitest";
import { captureTerminal } from "../../test/captured-terminal.ts";
import { confirm, type ConfirmOptions } from "./confirm.ts";
import { abortedBy } from "../run/failure-report.ts";
import { createScreen } from "../screen/screen.ts";

function answering(
  answer: string | undefined,
  options: Partial<ConfirmOptions> & { isTTY?: boolean; signal?: AbortSignal } = {},
): { outcome: Promise<void>; written: () => string } {
  const screenSide = captureTerminal({ isTTY: options.isTTY ?? true });
  const input = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? true });
  if (answer !== undefined) input.end(answer);
  const terminal = { input, screen: createScreen(screenSide), signal: options.signal ?? new AbortController().signal };
  return {
    outcome: confirm({ plan: "Plan: replace everything.", question: "Replace it", yes: false, ...options }, terminal),
    written: screenSide.written,
  };
}

test("yes, typed in full, goes on", async () => {
  const { outcome, written } = answering("yes\n");
  await outcome;
  expect(written()).toBe("Plan: replace everything.\nReplace it? Type yes to go on: ");
});

test.each(["y\n", "no\n", "\n", "", "YES\n", "discard\nyes\n"])("%j is a no", async (answer) => {
  await expect(answering(answer).outcome).rejects.toMatchObject({ code: "OPERATOR_DECLINED" });
});

test("a graver question wants its own word", async () => {
  await answering("discard\n", { phrase: "discard" }).outcome;
  await expect(answering("yes\n", { phrase: "discard" }).outcome).rejects.toMatchObject({ code: "OPERATOR_DECLINED" });
});

test("with --yes the plan is printed and nothing asked", async () => {
  const { outcome, written } = answering(undefined, { yes: true, isTTY: false });
  await outcome;
  expect(written()).toBe("Plan: replace everything.\n");
});

test("without a terminal and without --yes it refuses, having printed the plan", async () => {
  const { outcome, written } = answering("yes\n", { isTTY: false });
  await expect(outcome).rejects.toMatchObject({
    code: "CONFIRMATION_IMPOSSIBLE",
    hint: expect.stringContaining("--yes"),
  });
  expect(written()).toBe("Plan: replace everything.\n");
});

test("a signal before the question or during it ends it", async () => {
  for (const written of ["Plan", "Type yes"]) {
    const controller = new AbortController();
    const asked = answering(undefined, { signal: controller.signal });
    await vi.waitFor(() => expect(asked.written()).toContain(written));
    controller.abort(abortedBy("SIGINT", { name: "x" }));
    await expect(asked.outcome).rejects.toMatchObject({ code: "ABORTED" });
  }
});
