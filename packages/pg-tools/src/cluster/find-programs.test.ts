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

test("takes a newer major where that is good enough, and only there", async () => {
  const [oldest] = postgresMajors();
  if (oldest === undefined) throw new Error("a major is needed");
  const older = { major: oldest.major - 1, searchPaths: [oldest.binDir], required: ["postgres"] };
  expect(await findPostgresPrograms({ ...older, orNewer: true })).toMatchObject({ major: oldest.major });
  await expect(findPostgresPrograms({ ...older, major: 90, orNewer: true })).rejects.toMatchObject({
    code: "SERVER_VERSION",
    message: expect.stringContaining("unable to find postgres of PostgreSQL 90 or newer") as string,
  });
});

test("what is no program of PostgreSQL is passed over; what cannot be looked at is not", async () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-programs-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "pg_other"), "#!/bin/sh\necho other program\n", { mode: 0o755 });
  symlinkSync("nowhere", join(directory, "pg_dangling"));
  symlinkSync("loop", join(directory, "loop"));
  for (const required of [["pg_other"], ["pg_dangling"], []])
    await expect(findPostgresPrograms({ major: 15, searchPaths: [directory], required })).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      message: expect.stringContaining("none is installed where it was looked for") as string,
    });
  await expect(findPostgresPrograms({ major: 15, searchPaths: [join(directory, "loop")] })).rejects.toMatchObject({
    code: "FILE_UNREADABLE",
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
