import type { Config, storageOptions } from "@soar/app-kit";
import type { BoundSetting, RepositoryBinding } from "@soar/archive/daemon";
import { findFileIdentity } from "@soar/archive/client";

/** What callers have to share with this archiver so that an acknowledgement is theirs. */
export async function bindingOf(
  config: Pick<Config<typeof storageOptions>, "bucket" | "endpoint">,
  envFile: string | undefined,
): Promise<RepositoryBinding> {
  return {
    envFile: envFile === undefined ? "-" : ((await findFileIdentity(envFile))?.text ?? "-"),
    bucket: setting(config.bucket, "bucket", "BACKUP_BUCKET"),
    endpoint: setting(config.endpoint ?? "", "endpoint", "AWS_ENDPOINT_URL"),
  };
}

/** A caller has neither our flags nor our environment. */
function setting(value: string, flag: string, variable: string): BoundSetting {
  const isFlag = process.argv.some((argument) => argument === `--${flag}` || argument.startsWith(`--${flag}=`));
  return { value, isExplicit: isFlag || (process.env[variable] ?? "") !== "" };
}
