import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findSmallFault } from "./small-files.ts";

describe.each(postgresMajors())("small files of PostgreSQL $version", (installation) => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await createTestCluster({ installation })));
  afterAll(() => cluster.remove());

  test.each(["PG_VERSION", "base/1/PG_VERSION", "base/1/pg_filenode.map", "global/pg_filenode.map"])(
    "%s is right as its server has written it, and wrong with one byte changed, cut off, or gone",
    (name) => {
      const content = readFileSync(join(cluster.dataDir, name));
      expect(findSmallFault(name, content, installation.major)).toBeUndefined();
      // The second byte of a map is one of its magic number, that in the middle only its checksum tells of.
      const changed = [1, Math.floor(content.length / 2)].map((at) => {
        const copy = Buffer.from(content);
        copy[at] = (copy[at] ?? 0) ^ 1;
        return copy;
      });
      for (const wrong of [...changed, content.subarray(0, content.length - 1), Buffer.alloc(0)])
        expect(findSmallFault(name, wrong, installation.major)).toMatch(/^its? /);
    },
  );
});

test("pages are none of these", () => {
  expect(findSmallFault("base/1/1259", Buffer.alloc(8192), 15)).toBeUndefined();
});
