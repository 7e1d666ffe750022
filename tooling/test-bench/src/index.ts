export { dumpDom } from "./browser/headless-chromium.ts";
export { freePort } from "./free-port.ts";
export { serverUser, type ServerUser } from "./programs/server-user.ts";
export {
  startProxy,
  type ProxyConnection,
  type ProxyOptions,
  type ProxyTarget,
  type TestProxy,
} from "./proxy/start-proxy.ts";
export { type ActiveImpairment, type Direction, type Impairment, type ImpairmentRule } from "./proxy/impairment.ts";
export { mountHung, mountSmallDisk, mountUponItself, type Mounted } from "./mounts/mount.ts";
export { parseExposition, parseSeries, type MetricFamily } from "./prometheus/parse-exposition.ts";
export { ProgramFailure, runProgram } from "./programs/run-program.ts";
export { startUncollected, type Uncollected } from "./programs/start-uncollected.ts";
export { startProgram, type ProgramResult, type StartedProgram, type StartOptions } from "./programs/start-program.ts";
export { compileCache } from "./programs/compile-cache.ts";
export { cleanEnvironment, runAsServerUser, type ServerProgramOptions } from "./programs/run-as-server-user.ts";
export { writeEnvFile } from "./env-file.ts";
export { missingBuildTools, ZLIB_SYNC_ADDON } from "./needs/zlib-sync.ts";
export { MACHINE_NEEDS } from "./needs/machine-needs.ts";
export { ONLY_MAJOR_VARIABLE, onlyMajor } from "./needs/only-major.ts";
export { requires, tagsOfNeeds, type Lack, type Need, type NeedProbe } from "./needs/requires.ts";
