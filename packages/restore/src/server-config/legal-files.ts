import { dirname, join, resolve } from "node:path";
import { ACCESS_FILE_SETTINGS } from "@soar/pg-tools/majors";
import { type ConfigForm, INCLUDE_DEPTH, includesOf } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";
import { decodeName } from "@soar/seekable-tar/members";

/** What ALTER SYSTEM writes, in the data directory wherever postgresql.conf lies. */
export const AUTO_CONF = "postgresql.auto.conf";

type Named = Pick<BackupRecord, "settings" | "source">;

/**
 * Of saved files those that the server reads as its configuration: what the record names, what ALTER SYSTEM wrote, and what
 * these include or name, as deep as it follows. Everything else is no configuration of the server that was backed up, whoever
 * put it there.
 */
export function legalFiles(files: ReadonlyMap<string, Buffer>, backup: Named): Map<string, Buffer> {
  return new Map([...formsOf(files, backup).keys()].map((path) => [path, files.get(path) ?? Buffer.alloc(0)]));
}

/** The form of each of them that the server reads. */
export function formsOf(
  files: ReadonlyMap<string, Buffer>,
  { settings, source }: Named,
): ReadonlyMap<string, ConfigForm> {
  const forms = new Map<string, ConfigForm>();
  let level = [
    { path: settings["config_file"] ?? "", form: "settings" as ConfigForm },
    ...ACCESS_FILE_SETTINGS.map((name) => ({ path: settings[name] ?? "", form: "access" as const })),
    { path: join(source.dataDirectory, AUTO_CONF), form: "settings" as const },
  ];
  // Those of one depth before those below: the shortest way to a file counts.
  for (let depth = 0; depth <= INCLUDE_DEPTH; depth += 1) {
    const next: typeof level = [];
    for (const { path, form } of level) {
      const content = files.get(path);
      if (content === undefined || forms.has(path) || resolve(path) !== path) continue;
      forms.set(path, form);
      for (const { kind, target } of includesOf(decodeName(content), path, form))
        next.push(
          ...(kind === "directory" ? filesIn(files, target) : [target]).map((named) => ({ path: named, form })),
        );
    }
    level = next;
  }
  return forms;
}

function filesIn(files: ReadonlyMap<string, Buffer>, directory: string): string[] {
  return [...files.keys()].filter((path) => dirname(path) === directory && path.endsWith(".conf"));
}
