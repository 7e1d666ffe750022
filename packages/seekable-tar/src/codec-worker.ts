import { serveTasks } from "@soar/task-pool";
import { runTask } from "./pool/run-task.ts";

// Entry point of the worker threads of `createCodecPool`. Imported anywhere else it does nothing.
serveTasks(runTask);
