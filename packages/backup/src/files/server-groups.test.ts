import { expect, test } from "vitest";
import { parseGroups } from "./server-groups.ts";

const status = (uids: string): string =>
  `Name:\tpostgres\nUid:\t${uids}\nGid:\t104\t104\t104\t104\nFDSize:\t64\nGroups:\t103 104 \nNStgid:\t1\n`;

test("the groups of a server are those of a process that is all its user's", () => {
  expect(parseGroups(status("101\t101\t101\t101"), 101)).toEqual([103, 104]);
});

test.each(["0\t0\t0\t0", "101\t0\t0\t0", "101\t101\t0\t101"])("a process of %s tells nothing of user 101", (uids) => {
  expect(parseGroups(status(uids), 101)).toEqual([]);
});

test("what is no process tells nothing", () => {
  expect(parseGroups("", 101)).toEqual([]);
});
