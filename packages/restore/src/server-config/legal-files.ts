import { dirname, join, resolve } from "node:path";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import type { BackupRecord } from "@soar/repository";
import { includesOf } from "./include-directives.ts";

/** What ALTER SYSTEM writes, in the data directory wherever postgresql.conf lies. */
export const AUTO_CONF = "postgresql.auto.conf";

/**
 * Of saved files those that the server reads as its configuration: what the record names, what ALTER SYSTEM wrote, and what
 * these include. Everything else is no configuration of the server that was backed up, whoever put it there.
 */
export function legalFiles(
  files: ReadonlyMap<string, Buffer>,
  { settings, source }: Pick<BackupRecord, "settings" | "source">,
): Map<string, Buffer> {
  const legal = new Map<string, Buffer>();
  const take = (path: string): void => {
    const content = files.get(path);
    if (content === undefined || legal.has(path) || resolve(path) !== path) return;
    legal.set(path, content);
    for (const { kind, target } of includesOf(content.toString("utf8"), path)) {
      if (kind !== "directory") take(target);
      else for (const other of files.keys()) if (dirname(other) === target && other.endsWith(".conf")) take(other);
    }
  };
  for (const name of ["config_file", ...ACCESS_FILE_SETTINGS]) take(settings[name] ?? "");
  take(join(source.dataDirectory, AUTO_CONF));
  return legal;
}
