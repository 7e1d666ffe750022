import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDocument, LIMITS, parseDocument, TOOLS, WORKS, type PerformanceDocument } from "../document.ts";
import { NOT_MEASURED, TOOL_TITLES } from "./figures.ts";
import { formatPerformancePage } from "./page.ts";

const EMPTY: PerformanceDocument = {
  format: 1,
  measured: {
    at: "",
    commit: "",
    machine: "",
    cores: 0,
    memory: 0,
    node: "",
    postgres: "",
    loadBefore: 0,
    loadAfter: 0,
    runs: 0,
    jobs: 0,
  },
  tools: {},
  rows: [],
  limits: [],
  backups: [],
  restores: [],
};

const figure = fc.integer({ min: 1, max: 10 ** 12 });
const seconds = fc.integer({ min: 1, max: 10 ** 7 }).map((ms) => ms / 1000);
const timing = { seconds, fastest: seconds, slowest: seconds, amount: figure };
const gigabytes = fc.constantFrom(0, 1, 3, 10);
const some = <T>(from: fc.Arbitrary<T>) => fc.option(from, { nil: undefined });
const present = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;

const row = fc
  .record({
    work: fc.constantFrom(...WORKS),
    tool: fc.constantFrom(...TOOLS),
    gigabytes,
    ...timing,
    stored: some(figure),
    peak: some(figure),
    requests: some(figure),
    parts: some(figure),
  })
  .map(present);
const backup = fc.record({
  gigabytes: fc.constantFrom(420, 10_000),
  ran: figure,
  seconds,
  peak: figure,
  partSize: figure,
  partsAtOnce: figure,
  parts: figure,
  objects: fc.integer({ min: 1, max: 99 }),
  table: figure,
  members: figure,
});
const restore = fc.record({
  gigabytes: fc.constantFrom(420, 10_000),
  members: figure,
  table: figure,
  planSeconds: seconds,
  planRequests: figure,
  indexSeconds: seconds,
  indexRequests: figure,
  indexPeak: figure,
  fetched: figure,
  fetchSeconds: seconds,
  fetchRequests: figure,
  peak: figure,
});
const document = fc
  .record({
    tools: fc.dictionary(
      fc.constantFrom(...TOOLS),
      some(fc.constant("9.8")).map((found) => found ?? null),
      { noNullPrototype: true },
    ),
    rows: fc.array(row, { maxLength: 40 }),
    limits: fc.array(fc.record({ limit: fc.constantFrom(...LIMITS), gigabytes, ...timing }), { maxLength: 20 }),
    backups: fc.array(backup, { maxLength: 2 }),
    restores: fc.array(restore, { maxLength: 2 }),
    listing: some(fc.record({ keys: figure, seconds, requests: figure })),
  })
  .map((parts): PerformanceDocument => present({ ...EMPTY, ...parts }));

/** Cells of tables, without the heads' and the columns that say how. */
const cellsOf = (page: string): string[] =>
  page
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .flatMap((line) => line.split("|").slice(2, -1));

test("a document is read as it was written", () => {
  fc.assert(
    fc.property(document, (one) => {
      expect(parseDocument(formatDocument(one))).toEqual(one);
    }),
    { numRuns: 50 },
  );
});

test("a page of nothing measured has no figure, and says so", () => {
  const page = formatPerformancePage(EMPTY);
  const said = cellsOf(page).filter((cell) => /\d/.test(cell) && !/420 GB|10 TB|computed|measured/.test(cell));
  expect(said).toEqual([]);
  expect(page).toContain(NOT_MEASURED);
});

test("no figure is broken, whatever was measured and whatever was not", () => {
  fc.assert(
    fc.property(document, (one) => {
      const page = formatPerformancePage(one);
      expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
    }),
  );
});

test("every rate of Soar and of the others comes from the document, and every row of it is told", () => {
  fc.assert(
    fc.property(fc.constantFrom(...WORKS), fc.integer({ min: 1, max: 10 ** 6 }), (work, rate) => {
      const isWal = work === "drain" || work === "replay" || work === "archive-call";
      const [amount, taken] = work === "archive-call" ? [1, rate / 1000] : [rate * (isWal ? 1 : 1e6), 1];
      const one = {
        work,
        tool: "soar",
        gigabytes: isWal ? 0 : 3,
        amount,
        seconds: taken,
        fastest: 1,
        slowest: 1,
      } as const;
      const page = formatPerformancePage({
        ...EMPTY,
        tools: { pgbackrest: "9.8" },
        rows: [one, { ...one, tool: "pgbackrest" }],
      });
      const shown = work === "archive-call" ? `${rate} ms` : isWal ? `${rate.toFixed(1)}/s` : `${rate} MB/s`;
      expect(cellsOf(page).filter((cell) => cell.trim() === shown).length).toBeGreaterThanOrEqual(3);
      expect(cellsOf(page).map((cell) => cell.trim())).toContain("1.00");
    }),
    { numRuns: 50 },
  );
});

test("the parts of a work in turn are the sum of their times at its size, and are not told where one is missing", () => {
  const took = { fastest: 1, slowest: 1 };
  const full = {
    work: "full-zstd",
    tool: "soar",
    gigabytes: 3,
    seconds: 10,
    amount: 300,
    stored: 100,
    ...took,
  } as const;
  const limits = [
    { limit: "zstd", gigabytes: 3, seconds: 4, amount: 300, ...took },
    { limit: "hash", gigabytes: 3, seconds: 2, amount: 300, ...took },
    // A third of the cluster's bytes is sent.
    { limit: "put", gigabytes: 3, seconds: 6, amount: 300, ...took },
  ] as const;
  expect(formatPerformancePage({ ...EMPTY, rows: [full], limits: [...limits] })).toContain("| 8.00 s: 80 % |");
  expect(formatPerformancePage({ ...EMPTY, rows: [full], limits: limits.slice(0, 2) })).not.toContain(": 80 %");
  const restored = { ...full, work: "restore" } as const;
  const more = [
    { limit: "get", gigabytes: 3, seconds: 3, amount: 300, ...took },
    { limit: "unzstd", gigabytes: 3, seconds: 4, amount: 300, ...took },
    { limit: "copy", gigabytes: 3, seconds: 1, amount: 300, ...took },
  ] as const;
  const page = formatPerformancePage({
    ...EMPTY,
    measured: { ...EMPTY.measured, jobs: 2 },
    rows: [full, restored],
    limits: [...limits, ...more],
  });
  expect(page).toContain("| 6.00 s: 60 % |");
});

test("a tool that is not installed is named once, in words", () => {
  const page = formatPerformancePage({ ...EMPTY, tools: { soar: "1", pgbackrest: null } });
  expect(page).toContain("pgBackRest: not installed, not measured.");
  expect(page).toContain(`${TOOL_TITLES.barman}: not asked for, not measured.`);
});

test("what is computed is called so, line by line", () => {
  const page = formatPerformancePage(EMPTY);
  for (const text of page.split("\n").filter((one) => /^\| (?:Fetch at|Parts|Listing)/.test(one)))
    expect(text).toContain("computed:");
});
