/** Stored bytes of an archive that a sample takes or leaves together. */
export const SLICE_BYTES = 64 * 1024 * 1024;

/** A part of an archive object that a backup added itself. The unit of WAL is its object, by its key. */
export function sliceName(object: string, offset: number): string {
  return `${object}#${Math.floor(offset / SLICE_BYTES)}`;
}

/** The key of the object that a slice is of. */
export function objectOfSlice(name: string): string {
  return name.slice(0, name.lastIndexOf("#"));
}

/** A whole backup, of which something is wrong that none of its slices shows by itself. */
export function backupUnit(label: string): string {
  return `base/${label}`;
}
