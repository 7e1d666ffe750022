import { SoarError } from "@soar/errors";
import { SUPPORTED_MAJORS, type SupportedMajor } from "./supported-majors.ts";

/** The oldest major that these tools talk to: BASE_BACKUP has its present form since then. */
export const OLDEST_MAJOR = SUPPORTED_MAJORS[0].major;

/** For messages: `15 to 18`. */
export const SUPPORTED_VERSIONS = `${OLDEST_MAJOR} to ${SUPPORTED_MAJORS.at(-1)?.major}`;

/** Every setting that names a file of access rules in any supported major. Servers do not know all of them. */
export const ACCESS_FILE_SETTINGS: readonly string[] = [
  ...new Set(SUPPORTED_MAJORS.flatMap(({ accessFileSettings }) => accessFileSettings)),
];

/** Major of a `server_version_num`: 15 for 150020. */
export function majorOfVersionNumber(versionNumber: number): number {
  return Math.floor(versionNumber / 10_000);
}

/** What is known of a major, or `undefined` for one that is not supported. */
export function findMajor(major: number): SupportedMajor | undefined {
  return SUPPORTED_MAJORS.find((one) => one.major === major);
}

/** What is known of a major. Throws SERVER_VERSION for one that is not supported. */
export function requireMajor(major: number): SupportedMajor {
  const found = findMajor(major);
  if (found !== undefined) return found;
  throw new SoarError(
    "SERVER_VERSION",
    `unable to work with PostgreSQL ${major}: versions ${SUPPORTED_VERSIONS} are supported`,
    {
      hint: "Use a version of the tools that knows this server.",
    },
  );
}

/** Major version of PostgreSQL that writes WAL pages with this magic, or `undefined` for one that is not supported. */
export function pgMajorOfWalMagic(magic: number): number | undefined {
  return SUPPORTED_MAJORS.find(({ wal }) => wal.pageMagic === magic)?.major;
}
