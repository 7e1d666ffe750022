import { expect, test } from "vitest";
import { captureTerminal } from "../../test/captured-terminal.ts";
import { createScreen } from "./screen.ts";

test("a line written over the bar removes it and draws it again below", () => {
  const terminal = captureTerminal({ isTTY: true });
  const screen = createScreen(terminal);
  screen.setStatus("50 %");
  screen.writeLine("a log line");
  screen.setStatus("60 %");
  screen.setStatus(undefined);
  screen.writeLine("end");
  const clear = "\r\u001b[2K";
  expect(terminal.written()).toBe(`${clear}50 %${clear}a log line\n50 %${clear}60 %${clear}end\n`);
});

test("without a terminal there is no bar, no colour and a width of 80", () => {
  const pipe = captureTerminal({ isTTY: false });
  const screen = createScreen(Object.assign(pipe, { columns: undefined }));
  screen.setStatus("50 %");
  screen.writeLine(screen.style("red", "error:"));
  expect(pipe.written()).toBe("error:\n");
  expect([screen.isTerminal, screen.width]).toEqual([false, 80]);
});
