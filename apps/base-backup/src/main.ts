import { favourLargeBuffers, runApp } from "@soar/app-kit";
import { expire } from "./expire.ts";
import { keep, unkeep } from "./keep.ts";
import { list } from "./list.ts";
import { take } from "./take.ts";

favourLargeBuffers();
await runApp({
  name: "soar-base-backup",
  component: "base-backup",
  version: process.env["SOAR_APP_VERSION"] ?? "0.0.0",
  summary: "Takes, lists and expires base backups in a bucket, without local staging.",
  commands: [take, list, expire, keep, unkeep],
});
