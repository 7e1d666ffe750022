/** A database that is too large for the bench, and the WAL of its window of 30 days. What is said of it is computed. */
export interface OwnerSize {
  readonly gigabytes: number;
  /** Segments of 16 MiB in the window. */
  readonly segments: number;
}

/** The owner's database as the verification's bench assumes it, and one of some twenty times the size that changes as fast in proportion. */
export const OWNER_SIZES: readonly OwnerSize[] = [
  { gigabytes: 420, segments: 20_000 },
  { gigabytes: 10_000, segments: 476_000 },
];

export const WINDOW_DAYS = 30;
export const KEYS_PER_PAGE = 1000;

/** Links, in bytes a second. */
export const LINKS = [
  { title: "100 MB/s", rate: 100e6 },
  { title: "1 Gbit/s", rate: 125e6 },
  { title: "1 GB/s", rate: 1e9 },
] as const;
