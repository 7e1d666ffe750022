/*
 * What a base backup leaves out, as `basebackup.c` has it in every supported version. Names are compared byte by byte (as
 * latin1 text) and at every depth, as the server does it.
 */

/** Their contents are rebuilt or emptied when a server starts (`excludeDirContents`). */
const EMPTIED_DIRECTORIES: ReadonlySet<string> = new Set([
  "pg_stat_tmp",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_subtrans",
]);

/** `excludeFiles`; `pg_internal.init` may have a process id behind it. */
const LEFT_OUT_NAMES: ReadonlySet<string> = new Set([
  "postgresql.auto.conf.tmp",
  "current_logfiles.tmp",
  "backup_label",
  "tablespace_map",
  "backup_manifest",
  "postmaster.pid",
  "postmaster.opts",
]);
const RELCACHE_PREFIX = "pg_internal.init";
const TEMPORARY_PREFIX = "pgsql_tmp";
/** macOS puts them everywhere. */
const FINDER_FILE = ".DS_Store";

/** Relation files and their forks: OID, fork, segment. Those of temporary relations begin with `t` and a backend's number. */
const RELATION_FILE = /^(\d{1,10})(?:_(fsm|vm|init))?(?:\.\d+)?$/;
const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;

/** Whether a directory of this name is in the backup, but nothing of what is in it. */
export function isEmptied(name: string): boolean {
  return EMPTIED_DIRECTORIES.has(name);
}

/** Whether nothing of this name is in the backup, wherever it lies. */
export function isLeftOut(name: string): boolean {
  return (
    LEFT_OUT_NAMES.has(name) ||
    name === FINDER_FILE ||
    name.startsWith(RELCACHE_PREFIX) ||
    name.startsWith(TEMPORARY_PREFIX)
  );
}

/**
 * Whether the backup leaves out this file of a database's directory: temporary relations, and of unlogged ones everything but
 * the init fork, from which the rest is made after recovery. `hasInitFork` tells whether the directory holds such a fork of a
 * relation.
 */
export function isLeftOutOfDatabase(name: string, hasInitFork: (fileNumber: string) => boolean): boolean {
  if (TEMPORARY_RELATION.test(name)) return true;
  const [, fileNumber, fork] = RELATION_FILE.exec(name) ?? [];
  return fileNumber !== undefined && fork !== "init" && hasInitFork(fileNumber);
}
