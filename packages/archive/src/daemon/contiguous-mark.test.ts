import { expect, test } from "vitest";
import { compareArchiveOrder } from "../server-wal/archive-status.ts";
import { contiguousMark } from "./contiguous-mark.ts";
import { formatBinding, meansSameRepository, type RepositoryBinding } from "./repository-binding.ts";

const MIB = 2n ** 20n;
const name = (index: number, timeline = 1): string =>
  `${timeline.toString(16).padStart(8, "0")}00000000${index.toString(16).padStart(8, "0")}`.toUpperCase();

test("the mark is the oldest missing segment, whatever newer ones are there", () => {
  expect(contiguousMark({ pending: [name(5), name(7)], archived: [name(4), name(6), name(8)] }, 2 ** 20)).toEqual({
    timeline: 1,
    lsn: 5n * MIB,
  });
});

test("with nothing missing it is the end of the newest segment", () => {
  expect(contiguousMark({ pending: [], archived: [name(4), name(6)] }, 2 ** 20)).toEqual({
    timeline: 1,
    lsn: 7n * MIB,
  });
});

test("only the newest timeline counts, and only segments", () => {
  expect(
    contiguousMark(
      { pending: [name(3), "00000003.history"], archived: [name(9, 2), `${name(9, 2)}.partial`] },
      2 ** 20,
    ),
  ).toEqual({ timeline: 2, lsn: 10n * MIB });
  expect(contiguousMark({ pending: ["00000003.history"], archived: [] }, 2 ** 20)).toBeUndefined();
});

test("files come in PostgreSQL's order: history first, then by name", () => {
  const names = [name(9), `${name(9)}.partial`, "00000003.history", name(8, 2), "00000002.history", name(8)];
  expect(names.sort(compareArchiveOrder)).toEqual([
    "00000002.history",
    "00000003.history",
    name(8),
    name(9),
    `${name(9)}.partial`,
    name(8, 2),
  ]);
});

test("a caller means the same repository only when nothing says otherwise", () => {
  const binding: RepositoryBinding = {
    envFile: "1 2 3 4.5",
    bucket: { value: "s3://a", isExplicit: false },
    endpoint: { value: "http://e", isExplicit: true },
  };
  const caller = { envFile: "1 2 3 4.5", bucket: "", endpoint: "http://e" };
  expect(meansSameRepository(binding, caller)).toBe(true);
  expect(meansSameRepository(binding, { ...caller, bucket: "s3://a" })).toBe(true);
  expect(meansSameRepository(binding, { ...caller, bucket: "s3://b" })).toBe(false);
  expect(meansSameRepository(binding, { ...caller, endpoint: "" })).toBe(false);
  expect(meansSameRepository(binding, { ...caller, envFile: "1 2 3 4.6" })).toBe(false);
  expect(formatBinding(binding)).toBe("1 2 3 4.5\ns3://a\nhttp://e\nfile explicit");
  expect(formatBinding({ ...binding, bucket: { value: "a\nb", isExplicit: false } })).toBeUndefined();
});
