import fc from "fast-check";
import { expect, test } from "vitest";
import { formatFileList, parseFileList, type FileList } from "./file-list.ts";

const block = fc.nat({ max: 131_071 });
const ranges = fc.array(fc.record({ first: block, last: block }), { maxLength: 4 });
const file = fc.record({
  ino: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
  size: fc.bigInt({ min: 0n, max: 2n ** 40n }),
  ctimeNs: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  zeros: fc.option(ranges, { nil: undefined }),
});
const name = fc.tuple(fc.nat(), fc.nat()).map(([database, relation]) => `base/${database}/${relation}_vm.1`);
const lists: fc.Arbitrary<FileList> = fc.record({
  moment: fc.constantFrom("before-recovery", "at-target"),
  files: fc.array(fc.tuple(name, file)).map((files) => new Map(files)),
});

test("what was noted of files is read as it was noted", () => {
  fc.assert(
    fc.property(lists, (list) => {
      expect(parseFileList(formatFileList(list))).toEqual(list);
    }),
  );
});

test.each([
  "",
  "{}",
  "soar files 1 at-target\n",
  "soar files 2 at-target\nend\n",
  "soar files 1 at-target\nbase/1/2 1 2 3 -\n",
  "soar files 1 at-target\nbase/1/2 1 2\nend\n",
])("nothing is known by a list that is cut off or another's: %j", (text) => {
  expect(parseFileList(text)).toBeUndefined();
});
