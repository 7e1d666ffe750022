import { dirname, resolve } from "node:path";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import type { BackupRecord } from "@soar/repository";

/** Directives of postgresql.conf, and from PostgreSQL 16 on of the access files, which quote with other signs. */
const INCLUDE = /^[ \t]*include(_if_exists|_dir)?[ \t]*=?[ \t]*(?:'([^'\n]*)'|"([^"\n]*)"|([^\s'"#]+))/gim;

/**
 * Of saved files those that the server reads as its configuration: what the record names, and what these include. Everything
 * else is no configuration of the server that was backed up, whoever put it there.
 */
export function legalFiles(
  files: ReadonlyMap<string, Buffer>,
  { settings }: Pick<BackupRecord, "settings">,
): Map<string, Buffer> {
  const legal = new Map<string, Buffer>();
  const take = (path: string): void => {
    const content = files.get(path);
    if (content === undefined || legal.has(path) || resolve(path) !== path) return;
    legal.set(path, content);
    for (const [, kind, ...names] of content.toString("utf8").matchAll(INCLUDE)) {
      const target = resolve(dirname(path), names.find((name) => name !== undefined) ?? "");
      if (kind?.toLowerCase() !== "_dir") take(target);
      else for (const other of files.keys()) if (dirname(other) === target && other.endsWith(".conf")) take(other);
    }
  };
  for (const name of ["config_file", ...ACCESS_FILE_SETTINGS]) take(settings[name] ?? "");
  return legal;
}
