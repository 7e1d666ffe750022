import { hostname } from "node:os";
import { join } from "node:path";
import { lstatIfPresent, realPathIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { findPostgresPrograms } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { ObjectStore } from "@soar/storage";
import { freeBytesAt } from "./data-directory.ts";
import { countHoles } from "./fetch/count-holes.ts";
import { chooseApproach } from "./fetch/delta/approach.ts";
import { ownTablespaces } from "./fetch/delta/own-tablespaces.ts";
import { requireRoom } from "./fetch/delta/require-room.ts";
import { findOpened } from "./in-place/forget-restore.ts";
import { findPlaceDoubts } from "./in-place/place-doubts.ts";
import { findLinksThere } from "./in-place/links-there.ts";
import { requireKeepable } from "./in-place/keep-old-data.ts";
import type { CheckedRestore, RestoreOptions } from "./run/restore-options.ts";
import type { RestorePlan } from "./plan/plan.ts";
import { findServerControl, type ServerControl } from "./server-control/server-control.ts";
import { hasSystemd } from "./server-control/systemd.ts";
import { describeConfig } from "./server-config/describe-config.ts";
import { findMissingHere } from "./server-config/missing-here.ts";
import { placeTablespaces } from "./fetch/tablespaces.ts";
import { requireLinkedWal, requireWalPlace } from "./fetch/wal-link.ts";

export type CheckOptions = Pick<
  RestoreOptions,
  "dataDir" | "namedDir" | "walDir" | "tablespaceMap" | "binDirs" | "overwrite" | "service" | "systemEnv" | "withConfig"
>;

/** Everything that can be found out before anything is touched, beside what the plan proves. Rejects with the first obstacle. */
export async function checkRestore(
  store: ObjectStore,
  plan: RestorePlan,
  options: CheckOptions,
): Promise<CheckedRestore> {
  const { dataDir, overwrite = false, systemEnv } = options;
  const inPlace = isInPlace(plan, options.namedDir ?? dataDir);
  requireOwnPlace(plan, options, inPlace);
  const approach = await chooseApproach(plan, { dataDir, overwrite, inPlace });
  await requireWalPlace({ dataDir, walDir: options.walDir }, approach);
  await requireLinkedWal(dataDir, approach);
  const tablespaces = await placeTablespaces(
    plan.backup,
    options.tablespaceMap ?? new Map(),
    await ownTablespaces(dataDir, approach),
  );
  if (approach.kind === "replace") await requireKeepable(dataDir, { tablespacePlaces: new Set(tablespaces.values()) });
  const major = majorOfVersionNumber(plan.backup.postgresVersion);
  const { binDir, version: programVersion } = await findPostgresPrograms({ major, searchPaths: options.binDirs });
  const places = {
    dataDir,
    tablespaces,
    walDir: options.walDir ?? (await linkedWal(dataDir)),
    countHoles: () => countHoles(store, plan.backup),
  };
  await requireRoom(plan, places, approach);
  const { texts: configuration, config } = await describeConfig(store, plan.backup, {
    dataDir,
    inPlace,
    withConfig: options.withConfig,
  });
  return {
    binDir,
    programVersion,
    freeBytes: await freeBytesAt(dataDir),
    tablespaces,
    inPlace,
    approach,
    control: await controlOf(plan, options, inPlace),
    canControlServices: await hasSystemd(systemEnv),
    placeDoubts: await findPlaceDoubts(plan.backup, options.namedDir ?? dataDir),
    configuration,
    opened: await findOpened(dataDir),
    linksThere: await findLinksThere(approach, { dataDir, tablespacePlaces: new Set(tablespaces.values()) }),
    missingHere: await findMissingHere(plan.backup, {
      dataDir,
      binDir,
      inPlace,
      isThere: !["fill", "replace", "refill"].includes(approach.kind),
      config,
      systemEnv,
    }),
  };
}

/** An old pg_wal that is a link leads there again, wherever its cluster is put. */
async function linkedWal(dataDir: string): Promise<string | undefined> {
  const path = join(dataDir, "pg_wal");
  return (await lstatIfPresent(path))?.isSymbolicLink() === true ? await realPathIfPresent(path) : undefined;
}

/** The saved configuration names the directory that it is for, and may be that of a living server. */
function requireOwnPlace(
  { backup }: RestorePlan,
  { withConfig, dataDir, namedDir = dataDir }: CheckOptions,
  inPlace: boolean,
): void {
  if (withConfig !== true || inPlace || backup.source.dataDirectory === namedDir) return;
  throw new SoarError(
    "USAGE",
    `--with-config goes with a restore into '${backup.source.dataDirectory}' only, where that configuration belongs`,
    { hint: "Leave it out: a copy gets the saved configuration in its own directory." },
  );
}

/**
 * Known by the path and the host's name: anything else is a copy, which is fenced until it is adopted.
 *
 * @param namedDir as it was named: another link to the same directory is not the place that was backed up
 */
export function isInPlace({ backup }: Pick<RestorePlan, "backup">, namedDir: string): boolean {
  return backup.source.dataDirectory === namedDir && backup.source.host === hostname();
}

/** Copies are nobody's service. */
export async function controlOf(
  { backup }: Pick<RestorePlan, "backup">,
  { dataDir, service, systemEnv }: CheckOptions,
  inPlace: boolean,
): Promise<ServerControl> {
  if (!inPlace && service === undefined) return { kind: "pg_ctl" };
  return findServerControl({
    dataDir,
    // A service knows it by the path that the server was given, which may be a link.
    alsoNamed: inPlace ? backup.source.dataDirectory : dataDir,
    postgresMajor: majorOfVersionNumber(backup.postgresVersion),
    service,
    env: systemEnv,
  });
}
