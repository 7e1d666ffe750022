import { join } from "node:path";
import { type Owner, readTextIfPresent, replaceFile } from "@soar/durable-files";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../data-directory.ts";

/**
 * What lay there at a moment when all of it was right: `before-recovery`, as it was fetched or left; or `at-target`, when
 * replay had ended there and its server began to pause.
 */
export interface FileList {
  readonly moment: "before-recovery" | "at-target";
  readonly files: ReadonlyMap<string, ListedFile>;
}

export interface ListedFile {
  readonly ino: bigint;
  readonly size: bigint;
  readonly ctimeNs: bigint;
  /** Blocks in it that hold nothing but zeros; undefined where nobody has looked, because the file was as in the backup. */
  readonly zeros: readonly BlockRange[] | undefined;
}

/** Blocks of one file, counted from its beginning. */
export interface BlockRange {
  readonly first: number;
  readonly last: number;
}

const LIST_NAME = "files";
const HEADER = /^soar files 1 (before-recovery|at-target)$/;
const LINE = /^(\S+) (\d+) (\d+) (\d+) (-|\?|\d+-\d+(?:,\d+-\d+)*)$/;

export function formatFileList({ moment, files }: FileList): string {
  const lines = [...files].map(
    ([name, { ino, size, ctimeNs, zeros }]) => `${name} ${ino} ${size} ${ctimeNs} ${formatRanges(zeros)}`,
  );
  return [`soar files 1 ${moment}`, ...lines, "end", ""].join("\n");
}

/** Undefined for anything that `formatFileList` has not made. */
export function parseFileList(text: string): FileList | undefined {
  const [header = "", ...lines] = text.split("\n");
  const moment = HEADER.exec(header)?.[1];
  if (moment !== "before-recovery" && moment !== "at-target") return undefined;
  if (lines.pop() !== "" || lines.pop() !== "end") return undefined;
  const files = new Map<string, ListedFile>();
  for (const line of lines) {
    const [, name, ino = "", size = "", ctimeNs = "", zeros = ""] = LINE.exec(line) ?? [];
    if (name === undefined) return undefined;
    files.set(name, { ino: BigInt(ino), size: BigInt(size), ctimeNs: BigInt(ctimeNs), zeros: parseRanges(zeros) });
  }
  return { moment, files };
}

function formatRanges(ranges: readonly BlockRange[] | undefined): string {
  if (ranges === undefined) return "?";
  return ranges.length === 0 ? "-" : ranges.map(({ first, last }) => `${first}-${last}`).join(",");
}

function parseRanges(text: string): readonly BlockRange[] | undefined {
  if (text === "?") return undefined;
  if (text === "-") return [];
  return text.split(",").map((range) => {
    const [first, last] = range.split("-").map(Number);
    return { first: first ?? 0, last: last ?? 0 };
  });
}

/** Keeps it for the next run; a crash brings back no older one. */
export async function writeFileList(dataDir: string, list: FileList, owner: Owner | undefined): Promise<void> {
  await replaceFile(listPath(dataDir), formatFileList(list), {
    mode: 0o600,
    owner,
    sync: "directory",
    within: inDataDirectory(dataDir, owner),
  });
}

/** Undefined where there is none that can be used: then nothing is known of what lay there. */
export async function readFileList(dataDir: string): Promise<FileList | undefined> {
  const text = await readTextIfPresent(listPath(dataDir), { within: { base: dataDir } });
  return text === undefined ? undefined : parseFileList(text);
}

function listPath(dataDir: string): string {
  return join(dataDir, RESTORE_STATE_DIRECTORY, LIST_NAME);
}
