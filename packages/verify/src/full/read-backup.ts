import { parseBackupKey } from "@soar/repository";
import { TarComparison, type MemberLocation, type SeekArchive, type SeekTable } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { isDamage, type Finding } from "../finding.ts";
import type { ManifestFiles } from "../quick/check-manifest.ts";
import { pathInCluster } from "../quick/check-table.ts";
import type { CompleteBackup } from "../survey/survey-repository.ts";
import { FileChecks } from "./check-files.ts";
import { DamageReport } from "./damage-report.ts";
import type { KnownMembers } from "./known-members.ts";
import { planMembers, type PlannedMember } from "./plan-members.ts";
import { readRanges, type ReadMember, type ReadRangesOptions } from "./read-ranges.ts";
import { StoredDigests } from "./stored-digests.ts";
import type { VerifyPool } from "./verify-pool.ts";

/** A backup whose records were checked. */
export interface ReadableBackup {
  readonly backup: CompleteBackup;
  readonly table: SeekTable;
  /** Undefined when the manifest cannot be believed. */
  readonly files: ManifestFiles | undefined;
}

export interface ReadBackupOptions extends CallOptions {
  readonly pool: VerifyPool;
  readonly parallel: number;
  readonly known: KnownMembers;
  /** Called with every member whose bytes were read, damaged or not. */
  readonly onMember?: ((location: MemberLocation) => void) | undefined;
  /** Called with every unit that has to be read again for the same damage to be found again. */
  readonly onDamaged: (unit: string) => void;
  /** Bytes of an archive object; undefined for one that is not there, or not as long as recorded. */
  readonly sizeOf: (key: string) => number | undefined;
  readonly onRead: ReadRangesOptions["onRead"];
}

/**
 * Reads every byte that a restore of this backup would, and checks it against the seek table's digests, the tar's structure,
 * PostgreSQL's manifest and the checksums of the pages. Damage is a finding; everything around it is checked all the same.
 */
export async function readBackup(
  store: ObjectStore,
  { backup, table, files }: ReadableBackup,
  options: ReadBackupOptions,
): Promise<Finding[]> {
  const report = new DamageReport(backup.label, options.onDamaged);
  const digests = new StoredDigests(backup.record);
  const needsBytes = files !== undefined && FileChecks.needsBytes(files);
  for (const archive of table.archives) {
    const check = new ArchiveCheck(archive, { backup, files, report, options });
    const isKnown = ({ location, isContent }: PlannedMember): boolean =>
      isContent && !needsBytes && options.known.checksumOf(location.object, location.offset) !== undefined;
    const members = readRanges(store, planMembers(archive, backup.record), {
      ...options,
      wants: (member) => isThere(member, options) && !isKnown(member),
      returnsPlain: ({ isContent }) => needsBytes || !isContent,
      onStored: (object, offset, bytes) => digests.add(object, offset, bytes),
    });
    for await (const member of members) check.take(member);
    check.finish();
  }
  digests.compare(report);
  return report.findings();
}

/** What is missing or has a wrong size was told by the check of sizes. */
function isThere({ location }: PlannedMember, { sizeOf }: ReadBackupOptions): boolean {
  return location.offset + location.storedLength <= (sizeOf(location.object) ?? 0);
}

interface ArchiveContext {
  readonly backup: CompleteBackup;
  readonly files: ManifestFiles | undefined;
  readonly report: DamageReport;
  readonly options: ReadBackupOptions;
}

/** Follows one archive member by member, in the order of the tar stream. */
class ArchiveCheck {
  readonly #archive: SeekArchive;
  readonly #context: ArchiveContext;
  readonly #files: FileChecks | undefined;
  /** Undefined once the stream is broken: its rest cannot be followed. */
  #comparison: TarComparison | undefined;

  constructor(archive: SeekArchive, context: ArchiveContext) {
    this.#archive = archive;
    this.#context = context;
    this.#comparison = new TarComparison(archive);
    this.#files = context.files === undefined ? undefined : new FileChecks(context.files, context.report);
  }

  take({ planned, outcome }: ReadMember): void {
    const checksum = outcome === undefined ? this.#knownChecksum(planned) : undefined;
    if (outcome !== undefined) this.#context.options.onMember?.(planned.location);
    if (outcome !== undefined && "failure" in outcome) this.#context.report.member(planned, outcome.failure);
    const checked = outcome !== undefined && "runs" in outcome ? outcome : undefined;
    const plain =
      checked?.plain === undefined
        ? undefined
        : Buffer.from(checked.plain.buffer, checked.plain.byteOffset, checked.plain.byteLength);
    for (const [at, run] of planned.runs.entries()) {
      const result = checked?.runs[at];
      if (result !== undefined) this.#context.report.pages(planned, run, result.damagedBlocks);
      this.#files?.add(run, result ?? (checksum === undefined ? undefined : { checksum }), plain);
      if (result !== undefined && planned.isContent && this.#isOwn(planned))
        this.#context.options.known.add(planned.location.object, planned.location.offset, result.checksum);
    }
    this.#follow(planned, { isGood: checked !== undefined || checksum !== undefined, plain });
  }

  finish(): void {
    for (const { path, type, size } of this.#archive.entries) {
      if (type === "file" && size === 0)
        this.#files?.addEmpty(pathInCluster(this.#archive, this.#context.backup.record, path));
    }
    this.#compare((comparison) => comparison.finish());
  }

  #knownChecksum({ location, isContent }: PlannedMember): number | undefined {
    return isContent && isThere({ location } as PlannedMember, this.#context.options)
      ? this.#context.options.known.checksumOf(location.object, location.offset)
      : undefined;
  }

  /** Chunks of other backups' objects were read with those, or are read in no order. */
  #isOwn({ location }: PlannedMember): boolean {
    return parseBackupKey(location.object)?.label === this.#context.backup.label;
  }

  #follow(
    { isContent, location }: PlannedMember,
    { isGood, plain }: { readonly isGood: boolean; readonly plain: Buffer | undefined },
  ): void {
    if (isContent) this.#compare((comparison) => comparison.skip(location.plainLength));
    else if (isGood && plain !== undefined) this.#compare((comparison) => comparison.push(plain));
    else this.#comparison = undefined;
  }

  #compare(step: (comparison: TarComparison) => void): void {
    if (this.#comparison === undefined) return;
    try {
      step(this.#comparison);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#comparison = undefined;
      this.#context.report.archive(this.#archive.name, error.message);
    }
  }
}
