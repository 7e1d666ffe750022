/** Files from this size on get members of their own, unless chunks are smaller. */
const LARGE_FILE_BYTES = 512 * 1024;
const BUNDLE_BYTES = 1024 * 1024;

/** Where one more small file ends a bundle early. */
const EARLY_END_FRACTION = 4;
const EARLY_END_MODULUS = 8;

/** How an archive is cut into members: the same for every way to make one, else the members of two backups would not match. */
export interface CuttingOptions {
  /** Large files are cut at multiples of this many bytes of file offset. */
  readonly chunkBytes: number;
  /** Headers and small files are bundled until a member has this many bytes; by default 1 MiB. */
  readonly bundleBytes?: number | undefined;
  /** Files from this size on get members of their own; by default a chunk, and at most 512 KiB. */
  readonly largeFileBytes?: number | undefined;
}

export type Cutting = { readonly [Key in keyof CuttingOptions]-?: number };

export function cuttingOf({ chunkBytes, bundleBytes, largeFileBytes }: CuttingOptions): Cutting {
  return {
    chunkBytes,
    bundleBytes: bundleBytes ?? BUNDLE_BYTES,
    largeFileBytes: largeFileBytes ?? Math.min(chunkBytes, LARGE_FILE_BYTES),
  };
}

/**
 * Whether a bundle of this size ends behind this path. It does when it is full, but also, from a quarter of that on, behind
 * every eighth path or so, chosen by the path itself: so the bundles of two backups fall into step again behind a file that
 * came, went or grew.
 */
export function endsBundle(size: number, path: string, { bundleBytes }: Cutting): boolean {
  if (size >= bundleBytes) return true;
  return size >= bundleBytes / EARLY_END_FRACTION && hashPath(path) % EARLY_END_MODULUS === 0;
}

/** FNV-1a with a final mix; stable between versions, else bundles of two backups would not match. */
function hashPath(path: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < path.length; at++) hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 15;
  return (Math.imul(hash, 0x2c1b3c6d) ^ (hash >>> 12)) >>> 0;
}
