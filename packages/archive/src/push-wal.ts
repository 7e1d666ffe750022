import { parseWalFileName, type WalFileName } from "@soar/pg-tools";
import type { ClusterIdentity } from "@soar/repository";
import { putWalFile, type PutWalOptions, type PutWalOutcome, type WalFileSource } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import { readClusterIdentity } from "./cluster-identity.ts";
import { findGivenUp, type GivenUpWal } from "./gap/given-up.ts";
import { requireArchivable } from "./require-archivable.ts";

export interface PushedWal extends PutWalOutcome {
  /** Plain bytes. */
  readonly size: number;
  readonly identity: ClusterIdentity;
}

/** What a command and the resident archiver do each in their own way. */
export interface PushSteps {
  /** Reads a file that may be archived, and checks that it is what its name says. */
  readonly read: (
    file: WalFileName,
  ) => Promise<{ readonly source: WalFileSource; readonly identity: ClusterIdentity | undefined }>;
  /** Makes sure that the repository belongs to this cluster. Rejects with `REPOSITORY_FOREIGN` for another one. */
  readonly claim: (identity: ClusterIdentity) => Promise<unknown>;
}

/**
 * The one order in which a WAL file gets into the bucket. Its name is judged first; what was given up is not read, because it
 * may be damaged; it is read before the repository is claimed, so that a file which is no WAL claims nothing; and nothing
 * is stored before it is known whose it is.
 */
export async function pushWal(
  store: ObjectStore,
  { path, name }: { readonly path: string; readonly name: string },
  { read, claim }: PushSteps,
  options: PutWalOptions & { readonly spoolDir?: string | undefined },
): Promise<PushedWal | GivenUpWal> {
  const kind = requireArchivable(parseWalFileName(name));
  const givenUp = await findGivenUp(store, { path, kind }, options);
  if (givenUp !== undefined) return givenUp;
  const { source, identity = await readClusterIdentity(path) } = await read(kind);
  options.signal?.throwIfAborted();
  await claim(identity);
  return { ...(await putWalFile(store, source, options)), size: source.size, identity };
}
