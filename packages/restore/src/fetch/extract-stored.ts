import { asRepositoryDamage } from "@soar/repository";
import { extractArchive, type ExtractOptions, type ExtractSummary, type ArchiveOutline } from "@soar/seekable-tar";

/** `extractArchive` of an archive of the repository: rejects with `REPOSITORY_DAMAGED` for its damage. */
export async function extractStored(archive: ArchiveOutline, options: ExtractOptions): Promise<ExtractSummary> {
  try {
    return await extractArchive(archive, options);
  } catch (error) {
    throw asRepositoryDamage(error);
  }
}
