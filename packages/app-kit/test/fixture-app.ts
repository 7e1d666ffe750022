import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { runProgram } from "@soar/programs";
import { confirmOptions, defineCommand, formatTable, jobsOptions, runApp, storageOptions } from "@soar/app-kit";

const take = defineCommand({
  name: "take",
  isDefault: true,
  summary: "Take a pretended backup.",
  description: "It only prints what it would work with.\n\nNothing is stored.",
  options: {
    ...storageOptions,
    ...jobsOptions,
    label: { type: "string", help: "Name of it." },
    "tail-interval": {
      env: "FIXTURE_TAIL",
      type: "duration",
      allowOff: true,
      default: "1s",
      help: "Pause between two.",
    },
    expire: { type: "boolean", default: true, help: "Expire afterwards." },
    at: { type: "time", zoneFrom: "timezone", help: "Instant." },
    timezone: { type: "string", help: "Zone." },
    only: { type: "list", help: "Names." },
    "no-only": { type: "boolean", default: false, help: "None of them." },
  },
  examples: [{ command: "fixture take --label x", explanation: "Takes one that is called x." }],
  run({ config, output, log }) {
    log.debug("about to print");
    output.report({
      json: { ...config, secretAccessKey: config.secretAccessKey?.length },
      text: () =>
        formatTable(
          [{ header: "FIELD" }, { header: "VALUE" }],
          [
            ["bucket", config.bucket],
            ["jobs", String(config.jobs)],
            ["tail", String(config.tailIntervalMs)],
          ],
        ),
    });
    log.info(`backup completed in ${config.bucket} with ${config.secretAccessKey ?? "no secret"}`);
  },
});

const destroy = defineCommand({
  name: "destroy",
  summary: "Ask before doing anything.",
  positionals: { target: { help: "What goes." }, others: { help: "What goes too.", optional: true, many: true } },
  options: confirmOptions,
  logFile: "optional",
  async run({ config, positionals, confirm, output }) {
    await confirm({
      plan: `Plan: remove ${positionals.target} and ${positionals.others.length} others.`,
      question: `Remove ${positionals.target}`,
      yes: config.yes,
    });
    output.print("removed");
  },
});

const wait = defineCommand({
  name: "gap wait",
  summary: "Wait for a signal.",
  options: { deaf: { type: "boolean", default: false, help: "Take no notice of it." } },
  async run({ config, signal, output, log }) {
    const marker = process.env["FIXTURE_PROGRAM"];
    if (marker !== undefined)
      void runProgram("/bin/sh", ["-c", 'echo $$ > "$0"; exec sleep 600', marker], { env: { PATH: "/usr/bin:/bin" } });
    while (marker !== undefined && !(existsSync(marker) && readFileSync(marker).length > 0)) await sleep(10);
    output.print("ready");
    const stop = config.deaf ? {} : { signal };
    signal.addEventListener("abort", () => log.info("noticed"));
    await sleep(60_000, undefined, stop);
  },
});

const fail = defineCommand({
  name: "fail",
  summary: "Fail in one of many ways.",
  positionals: { way: { help: "Which." } },
  options: {},
  run({ positionals: { way }, output }) {
    if (way === "known")
      throw new SoarError("WAL_CONFLICT", "unable to archive 'x': the store holds other content", {
        hint: "Check that no other cluster archives there.",
      });
    if (way === "end") throw new SoarError("WAL_END", "unable to fetch 'x': the chain ends before it");
    if (way === "bug")
      throw new TypeError("x is not a function", { cause: new Error("because of AKIAIOSFODNN7EXAMPLE") });
    if (way === "string") throw "just text";
    if (way === "empty-loop") return new Promise<void>(() => undefined);
    if (way === "output") {
      for (let line = 0; line < 20_000; line += 1)
        output.print(`line ${line} of many, long enough to fill the buffer of a pipe`);
      if (process.env["FIXTURE_MARK"] !== undefined) appendFileSync(process.env["FIXTURE_MARK"], "done");
      return undefined;
    }
    return new Promise<void>(() => {
      setInterval(() => undefined, 1000);
      if (way === "later")
        setImmediate(() => {
          throw new RangeError("thrown from a callback");
        });
      else void Promise.reject(new RangeError("rejected and forgotten"));
    });
  },
});

const commands = [take, destroy, wait, fail];
await runApp({
  name: "fixture",
  component: "fixture-app",
  version: "1.2.3",
  summary: "An app for the tests of app-kit.",
  commands,
  ...(process.env["FIXTURE_BY_SHELL"] === undefined ? {} : { endsByShell: true }),
  ...(process.env["FIXTURE_WAL_FETCH"] === undefined
    ? {}
    : { exitStatusFor: ({ error }) => (error instanceof SoarError && error.code === "WAL_END" ? 1 : 126) }),
});
