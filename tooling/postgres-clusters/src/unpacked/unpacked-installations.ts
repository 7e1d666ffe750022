import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Majors that npm has no servers of, and that a machine's own Debian may not have yet: `npm run postgres-19` brings them. */
export const UNPACKED_MAJORS = [19] as const;

/** Outside of every checkout and of what is emptied at a start, so that it is there for the next run, too. */
export function unpackedRoot(): string {
  const cache = process.getuid?.() === 0 ? "/var/cache" : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  return join(cache, "soar-test-postgres");
}

/** Below a directory into which Debian's packages of a major were unpacked. */
export function binDirBelow(directory: string, major: number): string {
  return join(directory, "usr/lib/postgresql", String(major), "bin");
}

/** `bin` directories of the servers that were unpacked on this machine. */
export function unpackedBinDirs(): string[] {
  return (
    UNPACKED_MAJORS.map((major) => binDirBelow(join(unpackedRoot(), String(major)), major))
      .filter((binDir) => existsSync(binDir))
      // The programs take the directory that they are in for what it is without links.
      .map((binDir) => realpathSync(binDir))
  );
}
