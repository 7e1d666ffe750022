import { formatDuration, formatRate, formatSize, formatTable, wrapText } from "@soar/app-kit";
import { estimateTailCost, type ArchiverStatus } from "@soar/archive/status";

type Row = readonly [label: string, text: string];

const LABEL_WIDTH = 21;

/** The status for a person, no wider than `width`. */
export function describeStatus(status: ArchiverStatus, width: number): string {
  const head = status.isResident
    ? "The resident archiver runs."
    : "No archiver runs: archive_command does the work itself, and no tail is shipped.";
  const problems = status.problems.flatMap((problem) => wrapText(problem, width));
  return [
    ...wrapText(head, width),
    ...problems,
    "",
    ...[...archived(status), ...outcomes(status), ...disk(status), ...repository(status)].flatMap((row) =>
      formatRow(row, width),
    ),
    "",
    ...price(status, width),
  ].join("\n");
}

function archived(status: ArchiverStatus): Row[] {
  const first = status.oldestPending === undefined ? "" : `, the first is ${status.oldestPending}`;
  const age =
    status.unarchivedBytes === 0
      ? "nothing"
      : `${formatSize(status.unarchivedBytes)}, the oldest since ${seconds(status.oldestUnarchivedSeconds)}`;
  return [
    ["waiting", `${status.queueDepth} files${first}${status.isResident ? `; ${status.inFlight} in flight` : ""}`],
    ["not in the bucket", age],
    ["server wrote up to", status.flushLsn ?? "unknown"],
    [
      "in the bucket up to",
      `${status.durableLsn ?? "unknown"} (whole segments up to ${status.contiguousLsn ?? "unknown"}, timeline ${status.timeline ?? "unknown"})`,
    ],
    ...heldCommits(status),
    ...(status.missing.length === 0
      ? []
      : ([
          [
            "MISSING",
            `${status.missing.length} segments that PostgreSQL was told are archived are not in the bucket: ${status.missing[0]} to ${status.missing.at(-1)}. Take a base backup: nothing behind them can be restored from older ones.`,
          ],
        ] satisfies Row[])),
  ];
}

function heldCommits({ heldCommits: held }: ArchiverStatus): Row[] {
  return held === undefined || held.waitingSeconds === 0
    ? []
    : [["COMMITS WAIT", `for the bucket, since ${seconds(held.waitingSeconds)}`]];
}

function outcomes(status: ArchiverStatus): Row[] {
  const { lastArchived, lastFailure } = status;
  // A failure that was overcome needs no advice any more.
  const isCurrent =
    lastFailure?.hint !== undefined &&
    (lastArchived === undefined || lastFailure.at > lastArchived.at || lastFailure.code === "WAL_CONFLICT");
  return [
    [
      "last archived",
      lastArchived === undefined
        ? "never"
        : `${lastArchived.name}, ${lastArchived.at} (${seconds(status.walAgeSeconds ?? 0)} ago)`,
    ],
    [
      "last failure",
      lastFailure === undefined ? "none" : `${lastFailure.at}, ${lastFailure.name}: ${lastFailure.message}`,
    ],
    ...(isCurrent ? ([["", lastFailure.hint ?? ""]] satisfies Row[]) : []),
    [
      "rate",
      [
        ...(status.filesPerSecond === undefined ? [] : [`${status.filesPerSecond.toFixed(1)} files/s archived`]),
        `the server writes ${status.walBytesPerSecond === undefined ? "unknown" : formatRate(status.walBytesPerSecond)}`,
      ].join(", "),
    ],
    [
      "since the beginning",
      `${status.archivedTotal} files, ${status.tailPiecesTotal} tail pieces, ${formatSize(status.uploadedBytesTotal)}, ${status.errorsTotal} failures${status.givenUpTotal === 0 ? "" : `, ${status.givenUpTotal} given up`}`,
    ],
  ];
}

function disk({ pgWalBytes, pgWalFreeBytes, hoursUntilFull, walBytesPerSecond }: ArchiverStatus): Row[] {
  if (pgWalBytes === undefined || pgWalFreeBytes === undefined) return [];
  const when =
    hoursUntilFull !== undefined
      ? `full in ${formatDuration(hoursUntilFull * 3_600_000)} if nothing were archived from now on`
      : walBytesPerSecond === undefined
        ? "nothing known yet of how fast it would fill"
        : "the server writes nothing now";
  return [["pg_wal", `${formatSize(pgWalBytes)}, ${formatSize(pgWalFreeBytes)} free: ${when}`]];
}

function repository({ baseBackup, gaps }: ArchiverStatus): Row[] {
  return [
    [
      "base backup",
      baseBackup === undefined
        ? "none that is known"
        : `${baseBackup.label}, ${seconds(baseBackup.ageSeconds)} old, ${formatSize(baseBackup.sizeBytes)}, took ${seconds(baseBackup.durationSeconds)}`,
    ],
    ...gaps.map(({ from, to, declaredBy, declaredAt, reason, isOpen }): Row => [
      "given up",
      `${from} to ${to}, by ${declaredBy} at ${declaredAt}: ${reason}.${isOpen ? " Nothing behind it can be restored until a base backup begins there: run soar-base-backup." : ""}`,
    ]),
  ];
}

function price(status: ArchiverStatus, width: number): string[] {
  const costs = estimateTailCost(status);
  const [first] = costs;
  if (first === undefined) return [];
  const measured =
    status.hourly === undefined
      ? "not measured without an archiver"
      : `${Math.round(status.hourly.puts)} in the last hour`;
  const most = first.prices
    .map(({ intervalMs, putsPerHour }) => `${Math.round(putsPerHour)} at ${intervalMs / 1000} s`)
    .join(", ");
  return [
    ...wrapText(
      `Requests that store: ${measured}; at most ${most} an hour. Dollars a month for the requests, at most, by tail interval:`,
      width,
    ),
    formatTable(
      [
        { header: "PROVIDER", canShrink: true },
        ...first.prices.map(({ intervalMs }) => ({ header: `${intervalMs / 1000} s`, align: "right" as const })),
        { header: "AS OF" },
      ],
      costs.map(({ provider, prices, asOf }) => [
        provider,
        ...prices.map(({ perMonth }) => `$${perMonth.toFixed(2)}`),
        asOf,
      ]),
      { width },
    ),
  ];
}

function formatRow([label, text]: Row, width: number): string[] {
  return wrapText(text, width - LABEL_WIDTH).map((line, index) =>
    `${(index === 0 ? label : "").padEnd(LABEL_WIDTH)}${line}`.trimEnd(),
  );
}

function seconds(value: number): string {
  return formatDuration(value * 1000);
}
