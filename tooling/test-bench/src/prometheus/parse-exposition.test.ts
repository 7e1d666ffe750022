import { expect, test } from "vitest";
import { parseExposition, parseSeries } from "./parse-exposition.ts";

const gauge = "# HELP a A.\n# TYPE a gauge\na 1\n";

test("reads gauges, counters with labels and histograms", () => {
  const families = parseExposition(
    `${gauge}# HELP b_total B.\n# TYPE b_total counter\nb_total{kind="put",outcome="o\\"k"} 3\n# HELP c C.\n# TYPE c histogram\nc_bucket{le="1"} 1\nc_bucket{le="+Inf"} 2\nc_sum 7.5\nc_count 2\n`,
  );
  expect([...families.keys()]).toEqual(["a", "b_total", "c"]);
  expect(families.get("b_total")).toEqual({
    type: "counter",
    help: "B.",
    samples: new Map([['b_total{kind="put",outcome="o\\"k"}', 3]]),
  });
});

test("reads what is escaped, and values without a bound", () => {
  const families = parseExposition(
    String.raw`# HELP a \\A\n{
# TYPE a gauge
a{b="{\\n}\"\n",c=""} -Inf
a +Inf
`,
  );
  expect(families.get("a")?.help).toBe("\\A\n{");
  expect([...(families.get("a")?.samples.values() ?? [])]).toEqual([-Infinity, Infinity]);
  expect([...(families.get("a")?.samples.keys() ?? [])].map(parseSeries)).toEqual([
    { name: "a", labels: { b: '{\\n}"\n', c: "" } },
    { name: "a", labels: {} },
  ]);
});

test.each([
  ["no end", "# HELP a A.\n# TYPE a gauge\na 1"],
  ["a family twice", gauge + gauge],
  ["a series twice", `${gauge}a 2\n`],
  ["no type", "# HELP a A.\na 1\n"],
  ["a sample of another family", `${gauge}b 1\n`],
  ["no samples", "# HELP a A.\n# TYPE a gauge\n"],
  ["a value that is none", "# HELP a A.\n# TYPE a gauge\na undefined\n"],
  ["a counter without _total", "# HELP a A.\n# TYPE a counter\na 1\n"],
  ["a gauge with _total", "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n"],
  ["an escape that is none in the help", "# HELP a A\\t.\n# TYPE a gauge\na 1\n"],
  ["an unescaped quote", '# HELP a A.\n# TYPE a gauge\na{b="c"d"} 1\n'],
  [
    "a histogram that falls",
    '# HELP c C.\n# TYPE c histogram\nc_bucket{le="1"} 3\nc_bucket{le="+Inf"} 2\nc_sum 7\nc_count 2\n',
  ],
  [
    "a histogram whose count is another",
    '# HELP c C.\n# TYPE c histogram\nc_bucket{le="+Inf"} 2\nc_sum 7\nc_count 3\n',
  ],
])("refuses %s", (_, text) => {
  expect(() => parseExposition(text)).toThrow(
    /the last line|come before|twice|out of place|neither|another family|no samples|is a |no histogram/,
  );
});
