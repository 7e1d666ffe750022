import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findDamagedPages } from "./verify-pages.ts";
import { pageChecksum } from "./page-checksum.ts";
import { parseRelationPath } from "./relation-path.ts";

describe.each(postgresMajors())("page checksums of PostgreSQL $version", (installation) => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await createTestCluster({ installation, initdbArgs: ["--data-checksums"] });
    await cluster.query(
      "CREATE TABLE t AS SELECT g, repeat(md5(g::text), 9) AS filler FROM generate_series(1, 3000) g",
    );
    await cluster.query("CREATE INDEX ON t (g)");
    await cluster.query("VACUUM t");
    await cluster.stop();
  });
  afterAll(() => cluster.remove());

  test("are right on every page of a stopped cluster", async () => {
    let pages = 0;
    const paths = await readdir(cluster.dataDir, { recursive: true });
    for (const path of paths.filter((one) => parseRelationPath(one) !== undefined)) {
      const bytes = await readFile(join(cluster.dataDir, path));
      pages += bytes.length / 8192;
      expect(findDamagedPages(bytes, { firstBlock: 0 }), path).toEqual([]);
    }
    expect(pages).toBeGreaterThan(500);
  });

  test("betray one flipped bit, a page at another place, and rubbish in an empty page", async () => {
    const bytes = await readFile(join(cluster.dataDir, "base/1/1255"));
    expect(findDamagedPages(bytes, { firstBlock: 1 })).toHaveLength(bytes.length / 8192);
    bytes[3 * 8192 + 5000] = (bytes[3 * 8192 + 5000] ?? 0) ^ 4;
    expect(findDamagedPages(bytes, { firstBlock: 0 }).map(({ blockNumber }) => blockNumber)).toEqual([3]);
    const empty = Buffer.alloc(2 * 8192);
    expect(findDamagedPages(empty, { firstBlock: 7 })).toEqual([]);
    empty[8192 + 4000] = 1;
    expect(findDamagedPages(empty, { firstBlock: 7 })).toMatchObject([{ blockNumber: 8, found: 0 }]);
  });

  test("are not judged on pages that changed since the backup began", async () => {
    const bytes = await readFile(join(cluster.dataDir, "base/1/1255"));
    bytes[5000] = (bytes[5000] ?? 0) ^ 4;
    const lsn = (BigInt(bytes.readUInt32LE(0)) << 32n) | BigInt(bytes.readUInt32LE(4));
    expect(findDamagedPages(bytes.subarray(0, 8192), { firstBlock: 0, changedBefore: lsn })).toEqual([]);
    expect(findDamagedPages(bytes.subarray(0, 8192), { firstBlock: 0, changedBefore: lsn + 1n })).toHaveLength(1);
  });
});

test("an incomplete last page is left out, other block sizes are taken", () => {
  const page = Buffer.alloc(4096 + 10, 1);
  const expected = pageChecksum(new DataView(page.buffer, page.byteOffset), 0, 4096, 0);
  expect(findDamagedPages(page, { firstBlock: 0, blockSize: 4096 })).toEqual([
    { blockNumber: 0, found: 257, expected },
  ]);
  expect(expected).toBeGreaterThan(0);
});
