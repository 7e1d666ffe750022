import { dirname } from "node:path";
import { quoteForShell } from "@soar/programs";
import { plannedToArchive, type ArchivedLocalWal, type LocalWalFile } from "@soar/restore";
import type { Prepared } from "./prepare.ts";

/** What is going to be stored in the repository. Copies have no WAL of this machine, and archive nothing. */
export function toArchive({ plan, checked }: Pick<Prepared, "plan" | "checked">): readonly LocalWalFile[] {
  // What an interrupted run has recorded; a plan of today may find other files.
  if (checked.approach.kind === "opened") return checked.opened?.waiting ?? [];
  return checked.inPlace ? plannedToArchive(plan) : [];
}

/** What a plan warns of that is another restore than the one which has still to store WAL there. */
export function unstoredText({ checked }: Pick<Prepared, "checked">): string | undefined {
  const { opened, approach } = checked;
  if (opened === undefined || approach.kind === "opened" || opened.waiting?.length === 0) return undefined;
  const [first] = opened.waiting ?? [];
  const what = first === undefined ? "WAL" : `up to ${opened.waiting?.length ?? 0} WAL files, from ${first.file} on`;
  return `an earlier restore there, to ${opened.target}, was interrupted before it had stored ${what}: this one begins anew and does not finish it. To have them in the repository, give the command of that one first`;
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

/** More names than this are found in their directory: a terminal takes no line of more than 4095 bytes. */
const MOST_NAMES = 20;
/** Whoever gives the command wants these files stored, also within a gap that the archiver's spool has marked. */
const STORE = "soar-wal-archive --spool /nonexistent";

/** The command that stores what is left, for whoever may write to the bucket. It ends at the first file that cannot be stored. */
export function byHand(localWal: Pick<ArchivedLocalWal, "left"> | undefined): string | undefined {
  const loops = groupsOf(localWal?.left ?? []).map(loopText);
  if (loops.length <= 1) return loops[0];
  // An end of one loop is no success: nothing is stored behind a hole.
  return loops.map((loop) => `(${loop.replace("|| break", "|| exit")})`).join(" && ");
}

function loopText(files: readonly LocalWalFile[]): string {
  const [first] = files;
  const last = files.at(-1);
  if (first === undefined || last === undefined) return "";
  const directory = quoteForShell(dirname(first.file));
  const names =
    files.length <= MOST_NAMES
      ? namesOf(files).join(" ")
      : `$(LC_ALL=C ls ${directory} | grep -Ex '[0-9A-F]{24}' | sed -n '/^${first.name}$/,/^${last.name}$/p')`;
  return `for wal in ${names}; do ${STORE} ${directory}/$wal $wal || break; done`;
}

/** In their order, what lies in one directory and is of one timeline; a history by itself. */
function groupsOf(files: readonly LocalWalFile[]): LocalWalFile[][] {
  const groups: LocalWalFile[][] = [];
  for (const file of files) {
    const last = groups.at(-1)?.at(-1);
    if (last !== undefined && groupOf(last) === groupOf(file)) groups.at(-1)?.push(file);
    else groups.push([file]);
  }
  return groups;
}

function groupOf({ name, file }: LocalWalFile): string {
  return `${dirname(file)}/${name.slice(0, 8)}${name.endsWith(".history") ? ".history" : ""}`;
}

function namesOf(files: readonly LocalWalFile[]): string[] {
  return files.map(({ name }) => name);
}

function filesText(names: readonly string[]): string {
  const [first = ""] = names;
  return names.length === 1 ? `the WAL file ${first}` : `${names.length} WAL files, ${first} to ${names.at(-1)}`;
}
