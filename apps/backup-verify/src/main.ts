import { favourLargeBuffers, runApp } from "@soar/app-kit";
import { doctor } from "./doctor/doctor.ts";
import { lifecycle } from "./doctor/lifecycle.ts";
import { drill } from "./drill/drill.ts";
import { verify } from "./verify.ts";

favourLargeBuffers();
await runApp({
  name: "soar-backup-verify",
  component: "backup-verify",
  version: process.env["SOAR_APP_VERSION"] ?? "0.0.0",
  summary: "Proves that the backups of a repository can be restored.",
  commands: [verify, drill, doctor, lifecycle],
});
