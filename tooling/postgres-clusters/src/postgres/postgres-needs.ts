import { type NeedProbe, onlyMajor } from "@soar-tooling/test-bench";
import { UNPACKED_MAJORS } from "../unpacked/unpacked-installations.ts";
import { postgresInstallations, TESTED_MAJORS } from "./installations.ts";

/** Of those that tests run; all of them come with PostgreSQL's own packages, none with the servers from npm. */
const CLIENTS = [
  "pg_amcheck",
  "pg_basebackup",
  "pg_checksums",
  "pg_controldata",
  "pg_dump",
  "pg_restore",
  "pg_verifybackup",
  "pg_waldump",
  "psql",
];

/** What tests need of PostgreSQL beside the servers that come from npm. */
export const POSTGRES_NEEDS: readonly NeedProbe[] = [
  {
    need: "postgres-clients",
    description: "PostgreSQL's own programs beside a server of their major",
    findLack: () =>
      postgresInstallations().some(({ programs }) => CLIENTS.every((name) => programs.has(name)))
        ? undefined
        : "no PostgreSQL with its client programs is installed (Debian: package postgresql)",
  },
  ...TESTED_MAJORS.map((major): NeedProbe => ({
    need: `major-${major}`,
    description: `a server of PostgreSQL ${major}`,
    findLack: () => (postgresInstallations().some((one) => one.major === major) ? undefined : lackOf(major)),
  })),
];

function lackOf(major: number): string {
  if (onlyMajor() !== undefined) return `only PostgreSQL ${onlyMajor()} is tested in this run`;
  return UNPACKED_MAJORS.some((unpacked) => unpacked === major)
    ? `there is no server of PostgreSQL ${major}: npm run postgres-${major} brings it from Debian`
    : `there is no server of PostgreSQL ${major}: none is installed, and npm has none for this platform`;
}
