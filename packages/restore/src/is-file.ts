import { stat } from "node:fs/promises";

/** Follows links; false when there is nothing. */
export async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  return found?.isFile() ?? false;
}
