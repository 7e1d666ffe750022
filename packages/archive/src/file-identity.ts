import { statIfPresent } from "@soar/durable-files/if-present";

/**
 * What makes a file this file: device, inode, size and the moment of its last change, in the very text that
 * `stat -L -c '%d %i %s %.9Z'` of coreutils prints, because the `sh` launcher compares it. Nothing can be written to a
 * file, nor another one put in its place, without a change of this text.
 */
export interface FileIdentity {
  readonly text: string;
  readonly changedAtMs: number;
  /** Bytes. */
  readonly size: number;
}

/** Undefined when there is no such file. */
export async function findFileIdentity(path: string): Promise<FileIdentity | undefined> {
  const stats = await statIfPresent(path, { bigint: true });
  if (stats === undefined) return undefined;
  const { dev, ino, size, ctimeNs, ctimeMs } = stats;
  const fraction = String(ctimeNs % 1_000_000_000n).padStart(9, "0");
  return {
    text: `${dev} ${ino} ${size} ${ctimeNs / 1_000_000_000n}.${fraction}`,
    changedAtMs: Number(ctimeMs),
    size: Number(size),
  };
}
