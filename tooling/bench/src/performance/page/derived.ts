import type { PerformanceDocument, Row, SyntheticBackup, SyntheticRestore, Work } from "../document.ts";
import {
  duration,
  findRow,
  measuredSizes,
  megabytes,
  NOT_MEASURED,
  size,
  speed,
  storedRatio,
  table,
  whole,
} from "./figures.ts";
import { KEYS_PER_PAGE, LINKS, OWNER_SIZES, WINDOW_DAYS, type OwnerSize } from "./owner-sizes.ts";

interface Derived {
  readonly name: string;
  readonly of: (owner: OwnerSize) => string;
  /** What was measured, and what was computed from it. */
  readonly how: string;
}

/** Soar's row of the largest database that was measured. */
function largest(document: PerformanceDocument, work: Work): Row | undefined {
  const sizes = measuredSizes(document).toReversed();
  return sizes
    .map((gigabytes) => findRow(document, { work, tool: "soar", gigabytes }))
    .find((row) => row !== undefined);
}

const backupOf = ({ backups }: PerformanceDocument, { gigabytes }: OwnerSize): SyntheticBackup | undefined =>
  backups.find((one) => one.gigabytes === gigabytes);
const restoreOf = ({ restores }: PerformanceDocument, { gigabytes }: OwnerSize): SyntheticRestore | undefined =>
  restores.find((one) => one.gigabytes === gigabytes);

const show = <T>(found: T | undefined, text: (found: T) => string): string =>
  found === undefined ? NOT_MEASURED : text(found);

/** Bytes in the bucket of a full backup, at the ratio of the largest that was measured. */
function storedBytes(document: PerformanceDocument, gigabytes: number): number | undefined {
  const row = largest(document, "full-zstd");
  return row === undefined ? undefined : gigabytes * 1e9 * storedRatio(document, row.gigabytes);
}

/** How the cost grows beyond what can be measured here; each line says what of it was. */
export function growthDerived(document: PerformanceDocument): string {
  const rows = [...backupLines(document), ...restoreLines(document), listingLine(document)].map(({ name, of, how }) => [
    name,
    ...OWNER_SIZES.map(of),
    how,
  ]);
  return table(["", ...OWNER_SIZES.map(({ gigabytes }) => size(gigabytes)), "How"], rows);
}

function backupLines(document: PerformanceDocument): Derived[] {
  const stream = (text: (one: SyntheticBackup) => string) => (owner: OwnerSize) =>
    show(backupOf(document, owner), text);
  const [ran] = document.backups;
  const told =
    ran === undefined
      ? "a synthetic stream"
      : `the first ${size(ran.ran)} of a synthetic stream that was told to expect so much`;
  return [
    {
      name: "Full backup, time",
      of: ({ gigabytes }) => show(largest(document, "full-zstd"), (row) => duration((gigabytes * 1e9) / speed(row))),
      how: "computed: size by the rate of the largest measured",
    },
    {
      name: "Full backup, stored",
      of: ({ gigabytes }) => show(storedBytes(document, gigabytes), (bytes) => `${whole(bytes / 1e9)} GB`),
      how: "computed: at the ratio of the largest measured",
    },
    { name: "Full backup, memory", of: stream(({ peak }) => megabytes(peak)), how: `measured: ${told}` },
    {
      name: "Objects of an archive, size of a part, parts at once",
      of: stream(({ objects, partSize, partsAtOnce }) => `${objects}, ${megabytes(partSize)}, ${partsAtOnce}`),
      how: "measured: what that upload began with, for what is stored without compression",
    },
    {
      name: "Parts",
      of: (owner) =>
        show(backupOf(document, owner), ({ partSize }) =>
          show(storedBytes(document, owner.gigabytes), (bytes) => whole(Math.ceil(bytes / partSize))),
        ),
      how: "computed: stored bytes by the size of a part; each is one request",
    },
    {
      name: "Seek table",
      of: stream(({ table: bytes, ran: gigabytes, gigabytes: all }) => megabytes((bytes * all) / gigabytes)),
      how: "computed: in proportion to that stream's",
    },
  ];
}

function restoreLines(document: PerformanceDocument): Derived[] {
  const synthetic = (text: (one: SyntheticRestore) => string) => (owner: OwnerSize) =>
    show(restoreOf(document, owner), text);
  return [
    {
      name: "Restore, plan",
      of: synthetic(({ planSeconds, planRequests }) => `${duration(planSeconds)}, ${whole(planRequests)} requests`),
      how: "measured: a synthetic repository of that size, with little WAL",
    },
    {
      name: "Restore, reading the seek table",
      of: synthetic(
        ({ indexSeconds, indexRequests, table: bytes, members }) =>
          `${duration(indexSeconds)}, ${whole(indexRequests)} requests, ${megabytes(bytes)}, ${whole(members)} members`,
      ),
      how: "measured: the whole table of that size",
    },
    {
      name: "Restore, memory with the table",
      of: synthetic(({ indexPeak }) => megabytes(indexPeak)),
      how: "measured: after the whole table was read; grows with the database",
    },
    {
      name: "Restore, memory while fetching",
      of: synthetic(({ peak, fetched }) => `${megabytes(peak)} over ${megabytes(fetched)}`),
      how: "measured: the beginning of the fetch, into files of holes",
    },
    {
      name: "Restore, requests",
      of: (owner) =>
        show(restoreOf(document, owner), ({ fetchRequests, fetched }) =>
          show(storedBytes(document, owner.gigabytes), (bytes) =>
            whole((fetchRequests * bytes) / Math.max(1, fetched)),
          ),
        ),
      how: "computed: stored bytes by those of that beginning",
    },
  ];
}

function listingLine({ listing }: PerformanceDocument): Derived {
  return {
    name: `Listing ${WINDOW_DAYS} days of WAL`,
    of: ({ segments }) =>
      show(listing, ({ seconds: taken, requests }) => {
        const pages = Math.ceil(segments / KEYS_PER_PAGE);
        return `${duration((pages * taken) / Math.max(1, requests))}, ${whole(pages)} requests, ${whole(segments)} segments`;
      }),
    how: `computed: pages of ${KEYS_PER_PAGE} keys, each as long as ${listing === undefined ? "a measured one" : `one of ${whole(listing.requests)} measured ones`}, without the network's latency`,
  };
}

/** How long a restore takes at the owner's size, by what limits it. */
export function recoveryTime(document: PerformanceDocument): string {
  const restore = largest(document, "restore");
  const fetching = (owner: OwnerSize, link: number): string =>
    show(storedBytes(document, owner.gigabytes), (bytes) =>
      show(restore, (row) => {
        const [byLink, byMachine] = [bytes / link, (owner.gigabytes * 1e9) / speed(row)];
        return `${duration(Math.max(byLink, byMachine))} (${byLink > byMachine ? "the link" : "the machine"})`;
      }),
    );
  const rows = [
    [
      "Stored bytes to fetch",
      ...OWNER_SIZES.map((owner) =>
        show(storedBytes(document, owner.gigabytes), (bytes) => `${whole(bytes / 1e9)} GB`),
      ),
      "computed: at the ratio of the largest measured",
    ],
    [
      "Plan and seek table",
      ...OWNER_SIZES.map((owner) =>
        show(restoreOf(document, owner), (one) => duration(one.planSeconds + one.indexSeconds)),
      ),
      "measured: synthetic repository",
    ],
    ...LINKS.map(({ title, rate }) => [
      `Fetch at ${title}`,
      ...OWNER_SIZES.map((owner) => fetching(owner, rate)),
      "computed: the longer of the stored bytes by the link and the cluster's by the measured rate of a restore",
    ]),
    [
      "Replay of one day of WAL",
      ...OWNER_SIZES.map((owner) => replayOfADay(document, owner)),
      `computed: the window's segments by ${WINDOW_DAYS} days, by the measured rate of replay`,
    ],
  ];
  return table(["", ...OWNER_SIZES.map(({ gigabytes }) => size(gigabytes)), "How"], rows);
}

function replayOfADay(document: PerformanceDocument, { segments }: OwnerSize): string {
  const replay = findRow(document, { work: "replay", tool: "soar", gigabytes: 0 });
  return show(replay, (row) => duration(segments / WINDOW_DAYS / speed(row)));
}
