import { isAbsolute, relative } from "node:path";
import { SoarError } from "@soar/errors";
import { isUnicode } from "@soar/pg-tools/server-text";
import type { BackupRecord } from "@soar/repository";
import { inspectDataDirectory } from "../data-directory.ts";

/**
 * Decides where each tablespace goes: where the map says, else to its old place. A directory that holds anything is
 * refused: recovery would overwrite the tablespace of a living cluster (safety, trap 27).
 *
 * A path that is no UTF-8 is refused: files would come to lie beside it.
 *
 * @param map old location, or OID, to new location
 * @param own tablespaces of the very directory that is restored, by OID: these are filled again
 */
export async function placeTablespaces(
  { tablespaces }: BackupRecord,
  map: ReadonlyMap<string, string>,
  own: ReadonlyMap<number, string> = new Map(),
): Promise<Map<number, string>> {
  const isMeant = (old: string) => (tablespace: BackupRecord["tablespaces"][number]) =>
    tablespace.location === old || String(tablespace.oid) === old;
  const unknown = [...map.keys()].find((old) => !tablespaces.some(isMeant(old)));
  if (unknown !== undefined) {
    throw new SoarError("USAGE", `the backup has no tablespace in '${unknown}'`, {
      hint:
        tablespaces.length === 0
          ? "It has no extra tablespaces at all."
          : `It has: ${tablespaces.map(({ oid, location }) => `${oid} in ${location}`).join(", ")}.`,
    });
  }
  const places = new Map<number, string>();
  for (const { oid, location } of tablespaces) {
    const place = map.get(String(oid)) ?? map.get(location) ?? location;
    if (!isUnicode(place))
      throw new SoarError(
        "SERVER_UNSUITABLE",
        `unable to restore tablespace ${oid} to '${place}': the path is not UTF-8`,
        { hint: `Give it another place, by its OID: --tablespace-map ${oid}=/new/directory. Nothing was changed.` },
      );
    if (!isAbsolute(place))
      throw new SoarError("USAGE", `unable to restore a tablespace to '${place}': the path is not absolute`, {
        hint: "PostgreSQL stores absolute paths of tablespaces.",
      });
    const shared = [...places.values()].find((other) => liesIn(place, other) || liesIn(other, place));
    if (shared !== undefined)
      throw new SoarError(
        "USAGE",
        `unable to restore a tablespace to '${place}': it would share the directory with the one in '${shared}'`,
        { hint: "Give every tablespace a directory of its own with --tablespace-map." },
      );
    const { state } = await inspectDataDirectory(place);
    if (state !== "absent" && state !== "empty" && own.get(oid) !== place) {
      throw new SoarError(
        "DIRECTORY_NOT_EMPTY",
        `unable to restore tablespace ${oid} to '${place}': the directory is in use`,
        {
          hint: `Give it another place: --tablespace-map '${location}=/new/directory'. Nothing was changed.`,
        },
      );
    }
    places.set(oid, place);
  }
  return places;
}

function liesIn(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === "" || !(way === ".." || way.startsWith("../"));
}
