/**
 * What ties an acknowledgement to one repository, in a form that the `sh` launcher can compare without reading any
 * configuration: the two settings that say where the bucket is, each as an explicit value or as "from the env file", and
 * the identity of the env file that was read.
 */
export interface RepositoryBinding {
  /** As `findFileIdentity` gives it; `-` when there was no env file. */
  readonly envFile: string;
  readonly bucket: BoundSetting;
  readonly endpoint: BoundSetting;
}

export interface BoundSetting {
  readonly value: string;
  /** Set by a flag or by the environment of the archiver, so that the env file does not tell what a caller without it means. */
  readonly isExplicit: boolean;
}

/** How a caller was configured, as far as it knows without reading the env file; empty for what it was not told. */
export interface CallerSettings {
  readonly envFile: string;
  readonly bucket: string;
  readonly endpoint: string;
}

/** Whether a caller with these settings surely means the repository of this binding. When in doubt it does not. */
export function meansSameRepository(binding: RepositoryBinding, caller: CallerSettings): boolean {
  const means = ({ value, isExplicit }: BoundSetting, said: string): boolean =>
    said === "" ? !isExplicit : said === value;
  return (
    caller.envFile === binding.envFile &&
    means(binding.bucket, caller.bucket) &&
    means(binding.endpoint, caller.endpoint)
  );
}

/** Four lines of an acknowledgement. A value with a line end cannot be written so, and is never acknowledged. */
export function formatBinding({ envFile, bucket, endpoint }: RepositoryBinding): string | undefined {
  const lines = [envFile, bucket.value, endpoint.value, `${mark(bucket)} ${mark(endpoint)}`];
  return lines.some((line) => line.includes("\n")) ? undefined : lines.join("\n");
}

function mark({ isExplicit }: BoundSetting): string {
  return isExplicit ? "explicit" : "file";
}
