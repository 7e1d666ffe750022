import { runApp } from "@soar/app-kit";
import { list } from "./list.ts";
import { take } from "./take.ts";

await runApp({
  name: "soar-base-backup",
  component: "base-backup",
  version: process.env["SOAR_APP_VERSION"] ?? "0.0.0",
  summary: "Takes and lists base backups in a bucket, without local staging.",
  commands: [take, list],
});
