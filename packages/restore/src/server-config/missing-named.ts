import { includesOf } from "@soar/pg-tools/recovery-config";
import { decodeName } from "@soar/seekable-tar/members";
import { isFile } from "../is-file.ts";
import { type ConfigSource, isLeftOut } from "./config-places.ts";
import type { ForeseenConfig } from "./foresee-settings.ts";
import { formsOf } from "./legal-files.ts";
import { placeBelow } from "./place-below.ts";

/**
 * What the saved configuration names that is neither saved nor on this host: lists of access rules and included files that a backup could
 * not read, or that one of a version before did not keep. One sentence each; nothing where this host's own configuration is used.
 */
export async function missingNamed(backup: ConfigSource, config: ForeseenConfig | undefined): Promise<string[]> {
  if (config === undefined || config.configFile !== undefined) return [];
  const missing = new Map<string, string>();
  for (const [path, form] of formsOf(config.saved, backup))
    for (const { kind, target } of includesOf(decodeName(config.saved.get(path) ?? Buffer.alloc(0)), path, form)) {
      if ((kind !== "list" && kind !== "file") || config.saved.has(target) || missing.has(target)) continue;
      const inside = placeBelow(backup.source.dataDirectory, target);
      // In the data directory it comes with the data, or is a link, of which the old one tells.
      if ((inside !== undefined && !isLeftOut(inside, backup)) || (await isFile(target))) continue;
      missing.set(
        target,
        `'${path}' names '${target}', which is in no backup and not on this host: ${kind === "list" ? "its rule lets nobody in, or the server does not start" : "the server does not start"} before it is there`,
      );
    }
  return [...missing.values()];
}
