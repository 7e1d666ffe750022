import { serveTasks } from "@soar/task-pool";
import { runVerifyTask } from "./run-verify-task.ts";

// Entry point of the worker threads of `createVerifyPool`. Imported anywhere else it does nothing.
serveTasks(runVerifyTask);
