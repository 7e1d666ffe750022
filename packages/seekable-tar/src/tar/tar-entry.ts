/** What an entry is; `special` are devices and named pipes, which are kept in the archive but never extracted. */
export type TarEntryType = "file" | "directory" | "symlink" | "link" | "special";

/** One file, directory or link of a tar archive. */
export interface TarEntry {
  /** Path without leading `./` and trailing `/`; `.` is the root. Anything else stands as in the archive, also `..`. */
  readonly path: string;
  readonly type: TarEntryType;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  /** Permission bits, at most 0o7777. */
  readonly mode: number;
  /** Seconds since 1970, with a fraction where the archive has one. */
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
  /** Target of a link, else the empty string. */
  readonly link: string;
}
