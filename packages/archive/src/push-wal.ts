import { dirname, resolve } from "node:path";
import { parseWalFileName, type WalFileName } from "@soar/pg-tools";
import { requireNoCopy, type ClusterIdentity } from "@soar/repository";
import { putWalFile, type PutWalOptions, type PutWalOutcome, type WalFileSource } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import { findGivenUp, type GivenUpWal } from "./gap/given-up.ts";
import { requireArchivable } from "./require-archivable.ts";
import { requireIdentityOf } from "./whose-wal.ts";

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

export interface PushOptions {
  readonly spoolDir?: string | undefined;
  /** The data directory, where the file does not lie in its pg_wal: a command of the operator's has copied it. */
  readonly dataDir?: string | undefined;
}

/**
 * A copy's WAL is that of its source by every word in it; only the data directory tells, which is beside the file or, where a
 * command of the operator's has copied the file, `dataDir`. Rejects with `REPOSITORY_FOREIGN`.
 */
async function requireNoCopysWal(path: string, dataDir: string | undefined): Promise<void> {
  // Lexical on purpose, as for pg_control: pg_wal may be a symbolic link to another volume.
  const beside = dirname(dirname(resolve(path)));
  await requireNoCopy(beside);
  if (dataDir !== undefined && dataDir !== beside) await requireNoCopy(dataDir);
}

/**
 * The one order in which a WAL file gets into the bucket. Its name is judged first, and that it is no copy's; what was given up is
 * not read, because it may be damaged; it is read before the repository is claimed, so that a file which is no WAL claims
 * nothing; and nothing is stored before it is known whose it is. Rejects as `archiveWalFile` does.
 */
export async function pushWal(
  store: ObjectStore,
  { path, name }: { readonly path: string; readonly name: string },
  { read, claim }: PushSteps,
  options: PutWalOptions & Pick<PushOptions, "spoolDir" | "dataDir">,
): Promise<PushedWal | GivenUpWal> {
  const kind = requireArchivable(parseWalFileName(name));
  await requireNoCopysWal(path, options.dataDir);
  const givenUp = await findGivenUp(store, { path, kind }, options);
  if (givenUp !== undefined) return givenUp;
  const { source, identity = await requireIdentityOf(store, path, options) } = await read(kind);
  options.signal?.throwIfAborted();
  await claim(identity);
  return { ...(await putWalFile(store, source, options)), size: source.size, identity };
}
