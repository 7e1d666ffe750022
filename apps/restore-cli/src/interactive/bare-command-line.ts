import { jobsOptions, postgresOptions, storageOptions, tempOptions, timezoneOptions } from "@soar/app-kit";

/** Options that say where things are, not what is to be done; the commands that can be chosen all have them. */
const SURROUNDINGS = new Set([
  ...Object.keys({ ...storageOptions, ...jobsOptions, ...tempOptions, ...timezoneOptions, ...postgresOptions }).filter(
    (name) => name !== "port",
  ),
  "bin-dir",
  "owner",
  "env-file",
  "log-dir",
  "log-level",
  "log-format",
]);

/** Whether a command line names no target and nothing else that is to be done. */
export function isBareCommandLine(argv: readonly string[]): boolean {
  return argv.every((word) => {
    const [, name] = /^--(?:no-)?([^=]+)/.exec(word) ?? [];
    return name === undefined ? word !== "--" : SURROUNDINGS.has(name);
  });
}
