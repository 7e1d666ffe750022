import { SoarError } from "@soar/errors";
import type { StoreConfig } from "@soar/storage";
import { readEnvFile } from "../options/env-file.ts";
import type { Config } from "../options/option-table.ts";
import type { storageOptions } from "../options/storage-options.ts";

type KeySettings = Pick<Config<typeof storageOptions>, "accessKeyId" | "secretAccessKey" | "sessionToken">;

type Environment = Readonly<Record<string, string | undefined>>;

const VARIABLES = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] as const;

/** The keys of the settings; undefined leaves them to the machine. Throws `CONFIG_INVALID` for half of a pair. */
function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: KeySettings) {
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const [given, missing] =
      accessKeyId === undefined
        ? ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"]
        : ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    throw new SoarError("CONFIG_INVALID", `unable to use ${given} alone: ${missing} is not set`, {
      hint: `Set ${missing} too, or neither of them to use the credentials of the machine.`,
    });
  }
  return { accessKeyId, secretAccessKey, sessionToken };
}

/**
 * Keys that stand in the env file are read from it again once the provider refuses them: whoever renews them writes them
 * there, and a program that runs for weeks learns of it in no other way. Keys of the environment are for the life of the
 * process.
 */
export function renewableCredentials(
  settings: KeySettings,
  envFile: string | undefined,
  environment: Environment,
): StoreConfig["credentials"] {
  const known = credentialsOf(settings);
  if (known === undefined || envFile === undefined || VARIABLES.some((name) => (environment[name] ?? "") !== ""))
    return known;
  let isFirst = true;
  return async () => {
    if (isFirst) {
      isFirst = false;
      return known;
    }
    const entries = readEnvFile(envFile, { isNamed: true })?.entries;
    const [accessKeyId, secretAccessKey, sessionToken] = VARIABLES.map(
      (name) => entries?.get(name)?.value || undefined,
    );
    return credentialsOf({ accessKeyId, secretAccessKey, sessionToken }) ?? known;
  };
}
