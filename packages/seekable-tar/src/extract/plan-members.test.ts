import { expect, test } from "vitest";
import { collect } from "../../test/memory-store.ts";
import { MemberList } from "../table/member-list.ts";
import { planMembers } from "./plan-members.ts";
import type { PlannedEntry } from "./planned-entry.ts";

const SUMS = { sha256: Buffer.alloc(32), crc32c: 0, storedDigest: Buffer.alloc(8) };

function smallFile(at: number): PlannedEntry {
  const entry = { path: `${at}`, type: "file", size: 3, mode: 0o600, mtime: 0, link: "", uid: 0, gid: 0 } as const;
  return {
    path: entry.path,
    entry: { ...entry, member: 0, offset: 512 + at * 1024 },
    attributes: { mode: entry.mode, mtime: 0, owner: undefined },
  };
}

test("a member of more files than writers put there is planned in several turns", async () => {
  const members = new MemberList([{ key: "o", codec: "zstd" }]);
  members.push(0, { offset: 7, storedLength: 100, plainLength: 5_000 * 1024, ...SUMS });
  const files = Array.from({ length: 5_000 }, (_, at) => smallFile(at));
  const planned = await collect(planMembers(members.openCursor(), files));
  expect(planned.map(({ location, runs }) => [location.offset, runs.length])).toEqual([
    [7, 2048],
    [7, 2048],
    [7, 904],
  ]);
  expect(planned.flatMap(({ runs }) => runs.map(({ file }) => file))).toEqual(files);
});
