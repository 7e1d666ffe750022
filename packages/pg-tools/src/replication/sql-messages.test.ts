import { createTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { connectSql } from "./sql-connection.ts";

test("the server reads every value as it was meant", async () => {
  await using cluster = await createTestCluster({ installation: requireInstallation() });
  await using sql = await connectSql(cluster.connection);
  const texts = ["", "NULL", '"', "\\", "a,b", "{}", " spaced ", "straße"];
  expect(
    await sql.query(
      `SELECT $1::text AS text, $2::int AS number, $3::bigint AS big, $4::boolean AS bool, $5::text AS nothing,
         $6::text[] AS texts, $7::text[] AS gaps, $8::int[] AS nested`,
      [
        texts.join(),
        7,
        2n ** 62n,
        true,
        null,
        texts,
        ["a", null],
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ),
  ).toEqual([
    {
      text: texts.join(),
      number: 7,
      big: String(2n ** 62n),
      bool: true,
      nothing: null,
      texts,
      gaps: ["a", null],
      nested: [
        [1, 2],
        [3, 4],
      ],
    },
  ]);
});
