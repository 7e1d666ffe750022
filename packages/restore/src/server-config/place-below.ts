import { isAbsolute, relative } from "node:path";

/** Where a path lies below a directory; undefined when it lies elsewhere. */
export function placeBelow(directory: string, path: string): string | undefined {
  const way = relative(directory, path);
  return directory === "" || way === "" || way.startsWith("..") || isAbsolute(way) ? undefined : way;
}
