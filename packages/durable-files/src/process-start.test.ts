import { spawn } from "node:child_process";
import { once } from "node:events";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseProcessStat, processStart, readProcessStat } from "./process-start.ts";

test("the line of a process is read whatever its name holds", () => {
  const name = fc.string({ maxLength: 15 }).filter((text) => !text.includes("\0"));
  const number = fc.nat();
  fc.assert(
    fc.property(
      number,
      name,
      fc.constantFrom("R", "S", "D", "Z", "T", "t", "X", "I"),
      number,
      number,
      (pid, program, state, parent, start) => {
        // Fields 5 to 21, then the start, then some more (proc_pid_stat(5)).
        const between = Array.from({ length: 17 }, (_, at) => at - 1).join(" ");
        const line = `${pid} (${program}) ${state} ${parent} ${between} ${start} 12 13\n`;
        expect(parseProcessStat(line)).toEqual({ name: program, state, parent, start: String(start) });
      },
    ),
  );
});

test.each(["", "1", "1 (sh", "1 (sh) S 2 3", "postgres\n"])("%j is no such line", (text) => {
  expect(parseProcessStat(text)).toBeUndefined();
});

test("a process is told from its remains, and from none", async () => {
  const own = await readProcessStat(process.pid);
  expect(own).toMatchObject({ parent: process.ppid, state: expect.stringMatching(/^[RS]$/) as string });
  expect(await processStart(process.pid)).toBe(own?.start);
  const child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  expect(await readProcessStat(pid)).toMatchObject({ name: "sleep", parent: process.pid });
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await readProcessStat(pid)).toBeUndefined();
  expect(await processStart(pid)).toBeUndefined();
});
