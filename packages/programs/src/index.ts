export { hideMemory } from "./core-dumps.ts";
export { runIfPresent, runProgram, type ProgramResult, type RunProgramOptions } from "./run-program.ts";
export {
  complaintOf,
  complaintsOf,
  programFailed,
  requireProgram,
  type RequireProgramOptions,
} from "./require-program.ts";
export { startProgram, type StartedProgram, type StartProgramOptions } from "./start-program.ts";
export { launchProgram, type LaunchedProgram, type LaunchOptions } from "./launch-program.ts";
export { connectAs, type ConnectAsOptions } from "./connect-as.ts";
export { quoteForShell } from "./quote-for-shell.ts";
export { endAllPrograms } from "./program-group.ts";
export type { ProgramEnd } from "./program-end.ts";
export type { ProgramOptions, ProgramOwner } from "./program-options.ts";
