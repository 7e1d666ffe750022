import { replaceInManifest } from "@soar/pg-tools/manifest";
import type { ArchiveStream, BackupSource, RunningBackup } from "./backup-source.ts";
import { RelocatedTar } from "./relocated-tar.ts";

const MAP = "tablespace_map";

/**
 * A source whose tablespaces lie in a scratch cluster, while the backup names the places that they stand for: in the
 * record, in `tablespace_map` and its line in the manifest. A restore then finds what it finds in any other backup.
 *
 * @param locations by OID, absolute
 */
export function relocatedSource(
  source: BackupSource<ArchiveStream>,
  locations: ReadonlyMap<number, string>,
): BackupSource<ArchiveStream> {
  if (locations.size === 0) return source;
  return {
    method: source.method,
    check: (facts) => source.check(facts),
    begin: async (request) => relocated(await source.begin(request), locations),
  };
}

function relocated(
  running: RunningBackup<ArchiveStream>,
  locations: ReadonlyMap<number, string>,
): RunningBackup<ArchiveStream> {
  const tar = new RelocatedTar(locations);
  const moved = <T extends Pick<ArchiveStream, "oid" | "location">>(one: T): T =>
    one.oid === undefined ? one : { ...one, location: locations.get(one.oid) ?? one.location };
  return {
    startLsn: running.startLsn,
    startTimeline: running.startTimeline,
    tablespaces: running.tablespaces.map(moved),
    async *archives() {
      for await (const archive of running.archives())
        yield archive.oid === undefined ? { ...archive, data: rewritten(archive.data, tar) } : moved(archive);
    },
    async finish() {
      const finished = await running.finish();
      return tar.map === undefined
        ? finished
        : { ...finished, manifest: replaceInManifest(finished.manifest, MAP, tar.map) };
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

async function* rewritten(data: AsyncIterable<Uint8Array>, tar: RelocatedTar): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of data) yield* tar.rewrite(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  yield* tar.end();
}
