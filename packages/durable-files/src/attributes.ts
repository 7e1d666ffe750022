import type { FileHandle } from "node:fs/promises";
import { isRoot, type Owner } from "./owner.ts";

export interface Attributes {
  /** Permission bits, exactly these. */
  readonly mode: number;
  /** Whose it is to be; unless said, and as root, `directoryOwner`. */
  readonly owner?: Owner | undefined;
}

/** Gives owner and mode to something that this process has just made, through its descriptor: no name is looked up again. */
export async function setAttributes(
  handle: FileHandle,
  { mode, owner }: Attributes,
  directoryOwner: Owner | undefined,
): Promise<void> {
  const wanted = owner ?? (isRoot() ? directoryOwner : undefined);
  if (wanted !== undefined) {
    const { uid, gid } = await handle.stat();
    // Before the mode, of which a change of the owner takes bits away.
    if (uid !== wanted.uid || gid !== wanted.gid) await handle.chown(wanted.uid, wanted.gid);
  }
  // The umask of a service takes away more than was meant.
  await handle.chmod(mode);
}
