import { SoarError } from "@soar/errors";
import { SUPPORTED_VERSIONS } from "../majors/find-major.ts";
import { SUPPORTED_MAJORS, type SupportedMajor } from "../majors/supported-majors.ts";

/** The server writes 8192 bytes, of which fewer than 512 are used. */
const LARGEST_USED_SIZE = 512;

/** Recognises the version of a pg_control file by the two numbers that never move. Throws FORMAT_INVALID or SERVER_VERSION. */
export function majorOfControlFile(bytes: Uint8Array): SupportedMajor {
  if (bytes.length < LARGEST_USED_SIZE)
    throw new SoarError("FORMAT_INVALID", `unable to read pg_control: the file has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const controlVersion = view.getUint32(8, true);
  const catalogVersion = view.getUint32(12, true);
  const found = SUPPORTED_MAJORS.find(
    ({ controlFile }) => controlFile.controlVersion === controlVersion && controlFile.catalogVersion === catalogVersion,
  );
  if (found !== undefined) return found;
  throw new SoarError(
    "SERVER_VERSION",
    `unable to read pg_control: control version ${controlVersion} with catalog version ${catalogVersion} is not that of PostgreSQL ${SUPPORTED_VERSIONS}`,
    {
      hint: "Use the pg_controldata of the version that made the cluster to see what it is.",
    },
  );
}
