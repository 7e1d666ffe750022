import { dirname } from "node:path";
import { quoteForShell } from "@soar/programs";
import { plannedToArchive, type ArchivedLocalWal, type LocalWalFile } from "@soar/restore";
import type { Prepared } from "./prepare.ts";

/** What is going to be stored in the repository. Copies have no WAL of this machine, and archive nothing. */
export function toArchive({ plan, checked }: Pick<Prepared, "plan" | "checked">): readonly LocalWalFile[] {
  return checked.inPlace ? plannedToArchive(plan) : [];
}

/** What a plan says of WAL that only this machine has. */
export function toArchiveText(files: readonly LocalWalFile[]): string | undefined {
  return files.length === 0
    ? undefined
    : `${filesText(namesOf(files))}, in the repository, which lacks them, once the server was promoted and takes writes`;
}

/** What became of it, for the report. */
export function localWalRows(localWal: ArchivedLocalWal | undefined): (readonly [string, string])[] {
  if (localWal === undefined) return [];
  const { archived, present, left, reason } = localWal;
  return [
    ...(archived.length === 0
      ? []
      : [["stored", `${filesText(archived)}, which only this machine had: they are in the repository`] as const]),
    ...(present.length === 0
      ? []
      : [["stored before", `${filesText(present)}: the repository had them when their turn came`] as const]),
    ...(left.length === 0
      ? []
      : [
          [
            "not stored",
            `${filesText(namesOf(left))}: ${reason}. The repository has a hole there: until the next base backup nothing from it on can be restored`,
          ] as const,
        ]),
  ];
}

/** For the log, behind what else is said of the restore. */
export function leftText(localWal: ArchivedLocalWal | undefined): string {
  if (localWal === undefined || localWal.left.length === 0) return "";
  return `; ${filesText(namesOf(localWal.left))}, could not be stored in the repository: ${localWal.reason}`;
}

/** The commands that store what is left, for whoever may write to the bucket. */
export function byHand(localWal: ArchivedLocalWal | undefined): string | undefined {
  const left = localWal?.left ?? [];
  if (left.length === 0) return undefined;
  const loops: string[] = [];
  let from = 0;
  for (const [at, { file }] of left.entries()) {
    const directory = dirname(file);
    const next = left[at + 1];
    if (next !== undefined && dirname(next.file) === directory) continue;
    const names = namesOf(left.slice(from, at + 1)).join(" ");
    loops.push(`for wal in ${names}; do soar-wal-archive ${quoteForShell(directory)}/$wal $wal || break; done`);
    from = at + 1;
  }
  return loops.join("; ");
}

function namesOf(files: readonly LocalWalFile[]): string[] {
  return files.map(({ name }) => name);
}

function filesText(names: readonly string[]): string {
  const [first = ""] = names;
  return names.length === 1 ? `the WAL file ${first}` : `${names.length} WAL files, ${first} to ${names.at(-1)}`;
}
