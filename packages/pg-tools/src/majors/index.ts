// What differs between versions of PostgreSQL, one row a major.

export {
  ACCESS_FILE_SETTINGS,
  findMajor,
  majorOfVersionNumber,
  requireMajor,
  SUPPORTED_VERSIONS,
} from "./find-major.ts";
export { SUPPORTED_MAJORS, type SupportedMajor } from "./supported-majors.ts";
