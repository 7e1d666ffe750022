import { constants, existsSync, type Stats } from "node:fs";
import { chmod, chown, lchown, lstat, open } from "node:fs/promises";
import { isRoot, type Owner } from "./owner.ts";
import { PlaceError } from "./unwritable.ts";

/** Of Linux, and no constant of Node's: opens the name itself, also that of a socket, and neither reads nor connects (open(2)). */
const O_PATH = 0o10000000;
const PRIVATE = 0o600;

/**
 * Makes a socket that this process has just bound its owner's alone; as root it is given to `owner`. Whoever owns the directory
 * may have put something else under its name meanwhile, so that it is looked at and changed through one descriptor. Rejects
 * with a `PlaceError` for what is no such socket.
 */
export async function setSocketAttributes(path: string, owner: Owner | undefined): Promise<void> {
  if (process.platform !== "linux" || !existsSync("/proc/self/fd")) return await setByName(path, owner);
  await using handle = await open(path, O_PATH | constants.O_NOFOLLOW);
  requireOwnSocket(path, await handle.stat());
  // A descriptor of this kind takes no fchmod and no fchown; what it stands for is reached here, and no name is looked up again.
  const own = `/proc/self/fd/${handle.fd}`;
  await chmod(own, PRIVATE);
  if (isRoot() && owner !== undefined) await chown(own, owner.uid, owner.gid);
}

/** Where only the name is there, root changes nothing that a link could lead away. */
async function setByName(path: string, owner: Owner | undefined): Promise<void> {
  requireOwnSocket(path, await lstat(path));
  if (!isRoot()) await chmod(path, PRIVATE);
  else if (owner !== undefined) await lchown(path, owner.uid, owner.gid);
}

function requireOwnSocket(path: string, found: Stats): void {
  if (found.isSocket() && found.nlink === 1 && found.uid === process.geteuid?.()) return;
  throw new PlaceError(
    `'${path}' is not the socket that was just made there`,
    "Somebody has put something else in its place. Look at it before anything is written there.",
  );
}
