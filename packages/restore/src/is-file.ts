import { statIfPresent } from "@soar/durable-files";

/** Follows links; false when there is nothing. */
export async function isFile(path: string): Promise<boolean> {
  return (await statIfPresent(path))?.isFile() ?? false;
}
