import { serveTasks } from "@soar/task-pool";
import { runPrepareTask } from "./run-prepare-task.ts";

// Entry point of the threads of `createPreparePool`. Imported anywhere else it does nothing.
serveTasks(runPrepareTask);
