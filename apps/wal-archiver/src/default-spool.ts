/** Also in the launcher, which knows no other place to look. */
export const DEFAULT_SPOOL_DIR = "/var/lib/soar/wal-archive";
