import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { expect, onTestFinished, test } from "vitest";
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

test("a program that does not run is passed over and named, with its words", async () => {
  const [first] = postgresMajors();
  if (first === undefined) throw new Error("a major is needed");
  const directory = mkdtempSync(join(tmpdir(), "soar-programs-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(
    join(directory, "pg_nothing"),
    "#!/bin/sh\necho 'error while loading shared libraries: libpq.so.5' >&2\nexit 127\n",
    { mode: 0o755 },
  );
  await expect(
    findPostgresPrograms({ major: first.major, searchPaths: [directory], required: ["pg_nothing"] }),
  ).rejects.toMatchObject({
    code: "PROGRAM_MISSING",
    message: `unable to find pg_nothing of PostgreSQL ${first.major}: ${directory} has one that does not run: 'pg_nothing' ended with exit status 127; error while loading shared libraries: libpq.so.5`,
  });
  symlinkSync(join(directory, "pg_nothing"), join(directory, "postgres"));
  expect(await findPostgresPrograms({ major: first.major, searchPaths: [directory, first.binDir] })).toMatchObject({
    binDir: first.binDir,
  });
});
