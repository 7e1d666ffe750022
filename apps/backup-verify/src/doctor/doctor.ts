import { defineCommand, serverConnection, storeConfigOf } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { runDoctor, type Examination } from "@soar/verify";
import { doctorOptions } from "./doctor-options.ts";
import { formatExamination, summarize } from "./format-examination.ts";
import { programSettings } from "./program-settings.ts";

/** Backups are patient with a provider; a person who waits for a diagnosis is not. */
const RETRY_DEADLINE_MS = 5_000;

export const doctor = defineCommand({
  name: "doctor",
  summary: "Find out why something does not work, or what a new set-up lacks.",
  description:
    "Looks at the server's settings, archiving, the launcher and the env file, the disks, the bucket and what is set for it, the repository, the timers, and whether anybody hears of a failure; then commits something and waits until it is in the bucket. Every finding says what to do.\n\nIt writes small probe objects below config/doctor/ and a small file where logs, metrics and reports go, which it removes again, and one WAL message; it changes nothing else. Run it on the server's machine as its user or as root, to have everything looked at. Exit status 0: no errors; 5: there are some.",
  options: doctorOptions,
  examples: [
    { command: "sudo soar-backup-verify doctor", explanation: "everything, on the server's machine" },
    { command: "soar-backup-verify doctor --json", explanation: "for monitoring" },
    {
      command: "sudo -u postgres soar-backup-verify doctor --send-test-notice",
      explanation: "see that mail and webhook arrive",
    },
  ],
  logFile: "optional",
  async run({ config, log, output, signal, envFile, logDir }) {
    const seen: Examination[] = [];
    const store = { ...storeConfigOf(config, process.env, envFile), retry: { deadlineMs: RETRY_DEADLINE_MS } };
    const examinations = runDoctor({
      store,
      server: serverConnection(config, { applicationName: "soar-backup-verify", log }),
      policy: { windowDays: config.retentionDays, minimumBackups: config.retentionCount },
      envFile,
      spoolDir: config.spool,
      tempDir: config.tempDir,
      programs: programSettings(config, { logDir }),
      searchPath: process.env["PATH"] ?? "",
      binDir: config.binDir,
      roundTripMs: config.roundTrip ? config.roundTripTimeoutMs : undefined,
      now: new Date(),
      signal,
    });
    for await (const one of examinations) seen.push(one);
    const errors = seen.filter(({ severity }) => severity === "error");
    const shown = config.quiet ? seen.filter(({ severity }) => severity !== "ok") : seen;
    output.report({
      json: { version: 1, examinations: seen },
      text: () => [...formatExamination(shown, output.width), "", summarize(seen)].join("\n"),
    });
    const [first] = errors;
    if (first !== undefined)
      throw new SoarError(
        "FINDINGS",
        `the doctor found ${errors.length} errors, first in ${first.area}: ${first.what}`,
        { hint: first.advice },
      );
  },
});
