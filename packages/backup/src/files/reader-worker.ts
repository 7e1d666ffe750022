import { workerData } from "node:worker_threads";
import { DigestFilter } from "@soar/seekable-tar/members";
import { serveTasks } from "@soar/task-pool";
import type { ReadTask } from "./read-tasks.ts";
import { MemberReader } from "./run-read-task.ts";

const known: unknown = workerData;
const reader = new MemberReader(known instanceof SharedArrayBuffer ? new DigestFilter(known) : undefined);

serveTasks((task: ReadTask) => reader.run(task));
