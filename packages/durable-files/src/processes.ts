// Which process is meant among those of all machines, and whether it lives.

export { areOfOneMachine, hasProcessEnded, ownIdentity, ownMachineId } from "./process-identity.ts";
export { hasEnded, isProcessAlive, parseProcessStat, type ProcessStat, readProcessStat } from "./process-start.ts";
