// Recovery settings and signal files, and configuration files as the server reads them.

export { type ConfigSetting, formatConfigSetting, parseConfigSettings } from "./config-file.ts";
export {
  type ConfigForm,
  INCLUDE_DEPTH,
  type IncludeDirective,
  includesOf,
  redirectIncludes,
} from "./include-directives.ts";
export { formatLibraryList, libraryOf, parseLibraryList } from "./library-list.ts";
export {
  readLeftoverTargets,
  type RecoveryMode,
  removeRecoverySettings,
  setRecoveryMode,
  writeRecoverySettings,
} from "./recovery-config.ts";
export {
  findLeftoverTargets,
  formatTargetTime,
  type RecoverySettings,
  recoveryTargetSettings,
} from "./recovery-settings.ts";
