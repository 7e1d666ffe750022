/** Of a tablespace only the directories of servers; PostgreSQL makes nothing else there (relpath.h, TABLESPACE_VERSION_DIRECTORY). */
export const TABLESPACE_DIRECTORY = /^PG_\d+_\d+$/;
