import { isMainThread } from "node:worker_threads";
import { serveTasks } from "@soar/task-pool";
import { runTask } from "./pool/run-task.ts";

// Entry point of the worker threads of `createCodecPool`. Imported anywhere else it does nothing.

// Here buffers are given back by hand. Parts of the pool that Node takes small ones from, 64 KiB at a time since Node 24, cannot be: a
// thread that decompressed members of 16 KiB had 50 MB of them.
if (!isMainThread) Buffer.poolSize = 0;
serveTasks(runTask);
