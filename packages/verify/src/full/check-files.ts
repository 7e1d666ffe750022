import { createFileChecksum, formatCrc32c, joinCrc32c, type FileChecksum } from "@soar/pg-tools/manifest";
import type { ManifestFiles } from "../quick/check-manifest.ts";
import type { DamageReport } from "./damage-report.ts";
import type { PlannedRun } from "./plan-members.ts";
import type { CheckedRun } from "./verify-task.ts";

interface OpenFile {
  /** Bytes of it that were seen. */
  done: number;
  /** A member with some of its bytes could not be read: its checksum is unknown, and the member has been told. */
  isBroken: boolean;
  crc: number;
  /** For manifests with other checksums than CRC-32C. */
  readonly hash: FileChecksum | undefined;
}

/** Compares the files of an archive with PostgreSQL's manifest. Runs of each file come in order. */
export class FileChecks {
  readonly #files: ManifestFiles;
  readonly #report: DamageReport;
  readonly #open = new Map<string, OpenFile>();

  constructor(files: ManifestFiles, report: DamageReport) {
    this.#files = files;
    this.#report = report;
  }

  /** Whether the manifest has checksums that cannot be joined, so that the bytes themselves are needed. */
  static needsBytes(files: ManifestFiles): boolean {
    for (const { checksum } of files.values())
      if (checksum !== undefined && checksum.algorithm !== "CRC32C") return true;
    return false;
  }

  /** `checked` is undefined for a run of a member that could not be read. */
  add(run: PlannedRun, checked: Pick<CheckedRun, "checksum"> | undefined, plain: Buffer | undefined): void {
    const file = this.#openFile(run.path);
    if (checked === undefined) file.isBroken = true;
    else file.crc = joinCrc32c(file.crc, checked.checksum, run.length);
    if (plain !== undefined) file.hash?.update(plain.subarray(run.plainOffset, run.plainOffset + run.length));
    file.done += run.length;
    if (file.done === run.entry.size) this.#finish(run.path, file);
  }

  addEmpty(path: string): void {
    this.#finish(path, this.#openFile(path));
  }

  #openFile(path: string): OpenFile {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const algorithm = this.#files.get(path)?.checksum?.algorithm;
    const hash = algorithm === undefined || algorithm === "CRC32C" ? undefined : createFileChecksum(algorithm);
    const opened = { done: 0, isBroken: false, crc: 0, hash };
    this.#open.set(path, opened);
    return opened;
  }

  #finish(path: string, { isBroken, crc, hash }: OpenFile): void {
    this.#open.delete(path);
    const checksum = this.#files.get(path)?.checksum;
    if (isBroken || checksum === undefined) return;
    const found = hash?.digest() ?? formatCrc32c(crc);
    if (found !== checksum.value)
      this.#report.file(path, `its ${checksum.algorithm} is ${found}, the manifest says ${checksum.value}`);
  }
}
