export { dumpDom, findChromium } from "./browser/headless-chromium.ts";
export { freePort } from "./free-port.ts";
export { type ProgramOptions, type ProgramResult } from "./run-program.ts";
export { serverUser, type ServerUser } from "./server-user.ts";
export {
  startProxy,
  type ProxyConnection,
  type ProxyOptions,
  type ProxyTarget,
  type TestProxy,
} from "./proxy/start-proxy.ts";
export { type ActiveImpairment, type Direction, type Impairment, type ImpairmentRule } from "./proxy/impairment.ts";
export { mountSmallDisk, mountUponItself, type Mounted } from "./mounts/mount.ts";
export { parseExposition, type MetricFamily } from "./prometheus/parse-exposition.ts";
export { cleanEnvironment, runAsServerUser } from "./run-program.ts";
