import { expect, test } from "vitest";
import { DamageCollector, holdsData, passedOver } from "./damaged-pages.ts";

test("reads blocks and totals from the warnings, whatever their language", () => {
  const collector = new DamageCollector();
  collector.add('checksum verification failed in file "./base/5/16384", block 3: calculated 5A3B but expected 8F1');
  collector.add(
    "Prüfsummenprüfung fehlgeschlagen in Datei »base/5/16384«, Block 12: berechnet 1234, aber erwartet FFFF",
  );
  collector.add('further checksum verification failures in file "./base/5/16384" will not be reported');
  collector.add('file "./base/5/16384" has a total of 7 checksum verification failures');
  collector.add(
    'checksum verification failed in file "pg_tblspc/16390/PG_15_202209061/5/16400.1", block 0: calculated A but expected B',
  );
  collector.add(
    'checksum verification failed in file "/srv/base/fast disk/PG_15_202209061/5/16401", block 2: calculated A but expected B',
  );
  collector.add("9 total checksum verification failures");
  expect(collector.warnings).toEqual(["9 total checksum verification failures"]);
  expect(collector.report("failed")).toEqual({
    message: "failed",
    files: [
      { path: "base/5/16384", blocks: [3, 12], total: 7 },
      { path: "pg_tblspc/16390/PG_15_202209061/5/16400.1", blocks: [0], total: undefined },
      { path: "/srv/base/fast disk/PG_15_202209061/5/16401", blocks: [2], total: undefined },
    ],
  });
});

test.each([
  ['skipping special file "./server.key"', "server.key", false],
  ["überspringe besondere Datei »./conf.d/it's here.conf«", "conf.d/it's here.conf", false],
  ['特殊ファイル"./base/16384"をスキップしています', "base/16384", true],
  ["fichier spécial « ./server.crt » ignoré", "server.crt", false],
])("reads from %j what the server passed over, whatever its language", (warning, path, isData) => {
  const collector = new DamageCollector();
  collector.add(warning);
  expect(collector.warnings).toEqual([warning]);
  expect(passedOver(collector.warnings)).toEqual(path === undefined ? [] : [path]);
  expect(passedOver(collector.warnings).some(holdsData)).toBe(isData);
});

test("keeps the first hundred other warnings of a server that warns without end, and still reads its damaged pages", () => {
  const collector = new DamageCollector();
  for (let second = 1; second <= 200; second++) collector.add(`still waiting for WAL (${second} s)`);
  collector.add('checksum verification failed in file "./base/5/1", block 3: calculated 5A3B but expected 8F1');
  expect(collector.warnings).toHaveLength(100);
  expect(collector.warnings.at(-1)).toBe("still waiting for WAL (100 s)");
  expect(collector.report("failed").files).toEqual([{ path: "base/5/1", blocks: [3], total: undefined }]);
});

test("takes no warning for a file that was passed over unless it names one", () => {
  expect(passedOver(["could not read the clock", 'skipping special file "./s"', 'role "x" is gone'])).toEqual(["s"]);
});

test("names once what the server warned of twice, when it measured and when it sent", () => {
  const warning = 'skipping special file "./server.key"';
  expect(passedOver([warning, warning])).toEqual(["server.key"]);
});
