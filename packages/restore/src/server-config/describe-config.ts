import { join } from "node:path";
import { hasErrorCode, messageOf } from "@soar/errors";
import type { BackupRecord } from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { isFile } from "../is-file.ts";
import { findKeptByInterrupted } from "../status/kept-record.ts";
import { isElsewhere, isLeftOut, linkOnTheWay, missingOf, placeInCopy } from "./config-places.ts";
import { placeBelow } from "./place-below.ts";
import type { ForeseenConfig } from "./foresee-settings.ts";
import { NOT_READABLE, readSavedConfig } from "./saved-config.ts";

export interface DescribeOptions extends CallOptions {
  readonly dataDir: string;
  readonly inPlace: boolean;
  /** What was saved takes the place of links of the old data directory. */
  readonly withConfig?: boolean | undefined;
}

export interface DescribedConfig {
  /** In words. */
  readonly texts: readonly string[];
  /** What its settings come from; undefined where nothing of it can be read. */
  readonly config: ForeseenConfig | undefined;
}

/**
 * Says before anything is touched which configuration the restored server will have, as far as no base backup holds it: by
 * what `chooseConfigFile` will find. Nothing where all of it comes with the data, or is used where it lies.
 */
export async function describeConfig(
  store: ObjectStore,
  backup: BackupRecord,
  { dataDir, inPlace, withConfig = false, signal }: DescribeOptions,
): Promise<DescribedConfig> {
  const source = backup.settings["config_file"];
  if (inPlace && isElsewhere(backup) && source !== undefined && (await isFile(source)))
    return { texts: [], config: await configInPlace(store, backup, source, { withConfig, signal }) };
  let saved: ReadonlyMap<string, Buffer>;
  try {
    saved = await readSavedConfig(store, backup, { signal });
  } catch (error) {
    if (isElsewhere(backup) || !hasErrorCode(error, ...NOT_READABLE)) throw error;
    const text = `what was saved with the backup is left out, because it cannot be read: ${messageOf(error)}`;
    return { texts: [text], config: undefined };
  }
  const elsewhere = await missingOf(withoutInside(saved, backup), backup, {
    dataDir,
    isWhole: isElsewhere(backup),
    replacesLinks: withConfig,
  });
  const linked: string[] = [];
  const brought = [...elsewhere];
  for (const path of saved.keys()) {
    const inside = placeBelow(backup.source.dataDirectory, path);
    if (inside === undefined || !isLeftOut(inside, backup)) continue;
    const link = inPlace && !withConfig ? await oldLink(dataDir, inside) : undefined;
    (link === true ? linked : brought).push(path);
  }
  const places = brought.map((path) => placeInCopy(path, backup, dataDir));
  const texts = [
    ...(places.length === 0 ? [] : [`${places.join(", ")}: as saved with the backup`]),
    ...(linked.length === 0
      ? []
      : [
          `${linked.join(", ")}: where links of the old data directory lead, as it is there now; --with-config puts back what was saved`,
        ]),
  ];
  return { texts, config: { saved, configFile: undefined } };
}

/** It is used where it lies, but for what is put back before; what ALTER SYSTEM wrote comes with the data. */
async function configInPlace(
  store: ObjectStore,
  backup: BackupRecord,
  configFile: string,
  { withConfig, signal }: CallOptions & { readonly withConfig: boolean },
): Promise<ForeseenConfig> {
  try {
    const saved = await readSavedConfig(store, backup, { signal });
    return { saved, configFile: withConfig ? undefined : configFile };
  } catch (error) {
    if (withConfig || !hasErrorCode(error, ...NOT_READABLE)) throw error;
    return { saved: new Map(), configFile };
  }
}

/** Those of the data directory come with the data, but for what is looked at one by one. */
function withoutInside(saved: ReadonlyMap<string, Buffer>, { source }: BackupRecord): Map<string, Buffer> {
  return new Map([...saved].filter(([path]) => placeBelow(source.dataDirectory, path) === undefined));
}

/** Whether a link of the old data directory, which may have been put aside already, is made again and leads to something. */
async function oldLink(dataDir: string, inside: string): Promise<boolean> {
  for (const place of [dataDir, await findKeptByInterrupted(dataDir)]) {
    if (place === undefined) continue;
    const link = await linkOnTheWay(place, inside);
    if (link !== undefined) return link.leads;
    if (await isFile(join(place, "PG_VERSION"))) return false;
  }
  return false;
}
