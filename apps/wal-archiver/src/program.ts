import { basename } from "node:path";

/** Set by `bin/soar-wal-archive` for a call of PostgreSQL's. */
export const isLaunched = process.env["SOAR_WAL_ARCHIVE_LAUNCHED"] === "1";

/** What is said of this program wherever a command of it runs. */
export const program = {
  name: "soar-wal-archive",
  component: "wal-archiver",
  version: process.env["SOAR_APP_VERSION"] ?? "0.0.0",
  summary: "Puts PostgreSQL's WAL into a bucket, and says so only when it is there.",
  // As PostgreSQL gives them: a path, and the name at its end.
  isWork: (argv: readonly string[]) =>
    argv.some((word, at) => /^[0-9A-F]{8}/.test(word) && basename(argv[at - 1] ?? "") === word),
  endsByShell: isLaunched,
  // The launcher answers PostgreSQL then. It believes that a file is archived only where this process is called so.
  whenStuck(status: number) {
    if (!isLaunched) return;
    const launcher = process.ppid;
    if (status === 0) process.title = "soar-archived";
    process.kill(launcher, "SIGUSR1");
    // The name has to be there until it was read.
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (let looks = 0; process.ppid === launcher && looks < 100; looks += 1) Atomics.wait(cell, 0, 0, 10);
  },
};
