import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { findPostgresPrograms } from "./find-programs.ts";

test.each(postgresMajors())(
  "finds the programs of PostgreSQL $major where it is told to look",
  async ({ major, version, binDir }) => {
    expect(
      await findPostgresPrograms({ major, searchPaths: ["/nonexistent", binDir], required: ["postgres", "pg_ctl"] }),
    ).toMatchObject({ major, version, binDir });
  },
);

test("believes the program, not its path, and says what it saw", async () => {
  const [oldest, next] = postgresMajors();
  if (oldest === undefined || next === undefined) throw new Error("two majors are needed");
  const failure = findPostgresPrograms({ major: 99, searchPaths: [oldest.binDir, next.binDir] });
  await expect(failure).rejects.toMatchObject({
    code: "SERVER_VERSION",
    message: expect.stringContaining(oldest.version) as string,
    hint: expect.stringContaining("postgresql-99") as string,
  });
});
