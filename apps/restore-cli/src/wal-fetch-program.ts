import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { HandedStorage } from "@soar/app-kit";

/**
 * The words with which the restored server runs this very program as its restore_command. What is no secret stands in the
 * line itself, so that recovery can go on after the server was started again from elsewhere; secrets come from the env
 * file, or from the environment that the server was started with.
 */
export function walFetchProgram({ words }: HandedStorage, envFilePath: string | undefined): string[] {
  const main = realpathSync(process.argv[1] ?? "");
  const envFile = envFilePath === undefined ? [] : ["--env-file", resolve(envFilePath)];
  // Behind "--": Node takes --env-file for its own wherever it stands.
  return [process.execPath, ...process.execArgv, "--", main, "wal-fetch", ...envFile, ...words];
}

const PASSED_ON = /^(?:AWS_|BACKUP_|SOAR_|NODE_EXTRA_CA_CERTS$|(?:HTTPS?|ALL|NO)_PROXY$|PATH$|HOME$|LANG$|LC_|TZ$)/i;

/** What the server and its restore_command get of our environment: what they need, and nothing of libpq's that could mislead them. */
export function serverEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  handed: HandedStorage["environment"],
): Record<string, string> {
  const passedOn = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && PASSED_ON.test(name) ? [[name, value]] : [],
    ),
  );
  return { ...passedOn, ...handed };
}
