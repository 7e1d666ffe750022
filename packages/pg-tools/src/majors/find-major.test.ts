import { expect, test } from "vitest";
import {
  ACCESS_FILE_SETTINGS,
  findMajor,
  OLDEST_MAJOR,
  pgMajorOfWalMagic,
  requireMajor,
  SUPPORTED_VERSIONS,
} from "./find-major.ts";
import { SUPPORTED_MAJORS } from "./supported-majors.ts";

test("a major is found by its number and by what it writes, and by nothing else's", () => {
  for (const row of SUPPORTED_MAJORS) {
    expect(requireMajor(row.major)).toBe(row);
    expect(pgMajorOfWalMagic(row.wal.pageMagic)).toBe(row.major);
    expect(
      SUPPORTED_MAJORS.filter(({ controlFile }) => controlFile.catalogVersion === row.controlFile.catalogVersion),
    ).toEqual([row]);
  }
  expect(findMajor(14)).toBeUndefined();
  expect(() => requireMajor(14)).toThrow(
    expect.objectContaining({ code: "SERVER_VERSION", message: expect.stringContaining(SUPPORTED_VERSIONS) as string }),
  );
});

test("the majors follow on one another", () => {
  expect(SUPPORTED_MAJORS.map(({ major }) => major)).toEqual(SUPPORTED_MAJORS.map((_, at) => OLDEST_MAJOR + at));
  expect(SUPPORTED_VERSIONS).toMatch(/^\d\d to \d\d$/);
});

test("flags of WAL pages are among those that the major defines", () => {
  for (const { wal } of SUPPORTED_MAJORS)
    expect(wal.overwriteContrecordFlag & wal.pageFlags).toBe(wal.overwriteContrecordFlag);
});

test("files of access rules are named once, whichever majors have them", () => {
  expect(ACCESS_FILE_SETTINGS).toEqual(["hba_file", "ident_file", "hosts_file"]);
});
