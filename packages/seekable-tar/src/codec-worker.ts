import { runTask } from "./pool/run-task.ts";
import { serveTasks } from "./pool/serve-tasks.ts";

// Entry point of the worker threads of `createCodecPool`. Imported anywhere else it does nothing.
serveTasks(runTask);
