import type { Config, storageOptions } from "@soar/app-kit";
import type { BoundSetting, RepositoryBinding } from "@soar/archive/daemon";
import { findFileIdentity } from "@soar/archive/client";

/** What callers have to share with this archiver so that an acknowledgement is theirs. */
export async function bindingOf(
  config: Pick<Config<typeof storageOptions>, "bucket" | "endpoint">,
  envFile: string | undefined,
): Promise<RepositoryBinding> {
  return {
    envFile: envFile === undefined ? "-" : await identityOf(envFile),
    bucket: setting(config.bucket, "bucket", "BACKUP_BUCKET"),
    endpoint: setting(config.endpoint ?? "", "endpoint", "AWS_ENDPOINT_URL"),
  };
}

/** Of what was read when this program started: a file that was changed since means what nobody here has read, and fits no caller. */
async function identityOf(envFile: string): Promise<string> {
  const found = await findFileIdentity(envFile);
  if (found === undefined) return "-";
  return found.changedAtMs > performance.timeOrigin ? "changed" : found.text;
}

/** A caller has neither our flags nor our environment. */
function setting(value: string, flag: string, variable: string): BoundSetting {
  const isFlag = process.argv.some((argument) => argument === `--${flag}` || argument.startsWith(`--${flag}=`));
  return { value, isExplicit: isFlag || (process.env[variable] ?? "") !== "" };
}
