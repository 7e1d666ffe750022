import { defineCommand, retentionOptions, storageOptions, visibleJson } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { safeLifecycle } from "@soar/verify";
import { parseStoreUrl } from "@soar/storage";

const { bucket } = storageOptions;
const { "retention-days": retentionDays } = retentionOptions;

/** A file for the provider, so that nobody has to write one by hand and undercut the window. */
export const lifecycle = defineCommand({
  name: "lifecycle",
  summary: "Print lifecycle rules for the bucket that remove nothing which a restore needs.",
  description:
    "Prints the JSON document that aws s3api put-bucket-lifecycle-configuration takes. Its rules remove what the tools leave behind where their key may not delete: tails of segments after the recovery window and 15 days more, versions that were removed or overwritten, parts of uploads that never ended. The provider replaces all rules of the bucket by those of the file; with several prefixes in one bucket, put the rules of all into one file. It changes nothing itself, and the doctor looks at the rules that are set.",
  options: { bucket, "retention-days": retentionDays },
  examples: [{ command: "soar-backup-verify lifecycle > lifecycle.json", explanation: "of the configured bucket" }],
  logFile: "none",
  run({ config, output }) {
    const url = parseStoreUrl(config.bucket);
    if (url.kind !== "s3")
      throw new SoarError("STORE_UNSUPPORTED", `unable to print rules for '${config.bucket}': it is no bucket`, {
        hint: "Lifecycle rules are a provider's. In a directory, the tools remove what is not needed themselves.",
      });
    const rules = safeLifecycle({
      prefix: url.prefix === "" ? "" : `${url.prefix}/`,
      retentionDays: config.retentionDays,
    });
    output.report({ json: rules, text: () => visibleJson(JSON.stringify(rules, undefined, 2)) });
    return Promise.resolve();
  },
});
