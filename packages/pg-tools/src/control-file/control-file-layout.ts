import { SoarError } from "@soar/errors";

/**
 * `ControlFileData` keeps its layout from version 15 on; 18 put one byte in front of the nonce, which moves the
 * checksum behind it and nothing that is read here. The catalog version tells releases apart that share a control version.
 */
const LAYOUTS: readonly ControlFileLayout[] = [
  { pgMajor: 15, controlVersion: 1300, catalogVersion: 202209061, crcOffset: 288 },
  { pgMajor: 16, controlVersion: 1300, catalogVersion: 202307071, crcOffset: 288 },
  { pgMajor: 17, controlVersion: 1700, catalogVersion: 202406281, crcOffset: 288 },
  { pgMajor: 18, controlVersion: 1800, catalogVersion: 202506291, crcOffset: 292 },
];

export interface ControlFileLayout {
  readonly pgMajor: number;
  readonly controlVersion: number;
  readonly catalogVersion: number;
  /** Where the CRC-32C over everything before it stands. */
  readonly crcOffset: number;
}

/** The server writes 8192 bytes, of which fewer than 512 are used. */
const LARGEST_USED_SIZE = 512;

/** Recognises the version of a pg_control file by the two numbers that never move. Throws FORMAT_INVALID or SERVER_VERSION. */
export function layoutOf(bytes: Uint8Array): ControlFileLayout {
  if (bytes.length < LARGEST_USED_SIZE)
    throw new SoarError("FORMAT_INVALID", `unable to read pg_control: the file has only ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const controlVersion = view.getUint32(8, true);
  const catalogVersion = view.getUint32(12, true);
  const layout = LAYOUTS.find((one) => one.controlVersion === controlVersion && one.catalogVersion === catalogVersion);
  if (layout !== undefined) return layout;
  throw new SoarError(
    "SERVER_VERSION",
    `unable to read pg_control: control version ${controlVersion} with catalog version ${catalogVersion} is not that of PostgreSQL 15 to 18`,
    {
      hint: "Use the pg_controldata of the version that made the cluster to see what it is.",
    },
  );
}
