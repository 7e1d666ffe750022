import { basename } from "node:path";
import { favourLargeBuffers, runApp } from "@soar/app-kit";
import { daemon } from "./daemon/daemon.ts";
import { gapDeclare } from "./gap/declare.ts";
import { gapList } from "./gap/list.ts";
import { push } from "./push.ts";
import { status } from "./status/status.ts";

favourLargeBuffers({ isResident: true });
await runApp({
  name: "soar-wal-archive",
  component: "wal-archiver",
  version: process.env["SOAR_APP_VERSION"] ?? "0.0.0",
  summary: "Puts PostgreSQL's WAL into a bucket, and says so only when it is there.",
  commands: [push, daemon, status, gapDeclare, gapList],
  // As PostgreSQL gives them: a path, and the name at its end.
  isWork: (argv) => argv.some((word, at) => /^[0-9A-F]{8}/.test(word) && basename(argv[at - 1] ?? "") === word),
  // The launcher answers PostgreSQL then.
  whenStuck() {
    if (process.env["SOAR_WAL_ARCHIVE_LAUNCHED"] === "1") process.kill(process.ppid, "SIGUSR1");
  },
});
