/** A metric with its samples, as Prometheus would read it. */
export interface MetricFamily {
  readonly type: string;
  readonly help: string;
  /** By the text of the series, `backup_requests_total{kind="put",outcome="ok"}`. */
  readonly samples: ReadonlyMap<string, number>;
}

interface OpenFamily {
  readonly name: string;
  readonly help: string;
  type: string | undefined;
  readonly samples: Map<string, number>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const HELP = String.raw`(?:[^\\\n]|\\[\\n])+`;
const SAMPLE = new RegExp(
  `^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (-?(?:[0-9.]+(?:e[+-]?[0-9]+)?)|[+-]Inf|NaN)$`,
);

/**
 * Parses the text format 0.0.4 the way the strictest reader does, and throws with the line for anything that Prometheus,
 * node_exporter or `promtool check metrics` would refuse: metadata twice or behind samples, families in pieces, a series
 * twice, a counter without `_total`, a histogram that is not cumulative.
 */
export function parseExposition(text: string): ReadonlyMap<string, MetricFamily> {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, OpenFamily>();
  let current: OpenFamily | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const [, keyword, name, rest] = new RegExp(`^# (HELP|TYPE) (${NAME}) (${HELP})$`).exec(line) ?? [];
    if (keyword === "HELP" && name !== undefined && rest !== undefined) {
      if (families.has(name)) throw new Error(`'${name}' has come before: ${line}`);
      current = { name, help: unescapeText(rest), type: undefined, samples: new Map() };
      families.set(name, current);
    } else if (keyword === "TYPE" && rest !== undefined) {
      if (
        current === undefined ||
        current.name !== name ||
        current.type !== undefined ||
        !/^(?:counter|gauge|histogram)$/.test(rest)
      )
        throw new Error(`a type out of place: ${line}`);
      current.type = rest;
    } else addSample(current, line);
  }
  return new Map([...families.values()].map((family) => [family.name, checked(family)]));
}

function addSample(family: OpenFamily | undefined, line: string): void {
  const [, name = "", labels, value = ""] = SAMPLE.exec(line) ?? [];
  if (family?.type === undefined || name === "")
    throw new Error(`neither metadata nor a sample of the family before it: ${line}`);
  const own =
    family.type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => family.name + suffix) : [family.name];
  if (!own.includes(name)) throw new Error(`a sample of another family: ${line}`);
  const series = labels === undefined ? name : `${name}{${labels}}`;
  if (family.samples.has(series)) throw new Error(`a series twice: ${line}`);
  family.samples.set(series, Number(value.replace("Inf", "Infinity")));
}

/** The name and the labels of a series, of which `parseExposition` gives the text. */
export function parseSeries(series: string): { readonly name: string; readonly labels: Record<string, string> } {
  const [name = "", ...rest] = series.split("{");
  const labels = [...rest.join("{").matchAll(new RegExp(LABEL, "g"))].map(([pair]): [string, string] => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), unescapeText(pair.slice(at + 2, -1))];
  });
  return { name, labels: Object.fromEntries(labels) };
}

function unescapeText(text: string): string {
  return text.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
}

function checked({ name, type, help, samples }: OpenFamily): MetricFamily {
  if (type === undefined || samples.size === 0) throw new Error(`'${name}' has no samples`);
  if ((type === "counter") !== name.endsWith("_total")) throw new Error(`'${name}' is a ${type}`);
  for (const [series, value] of samples)
    if (Number.isNaN(value) || (type !== "gauge" && value < 0)) throw new Error(`'${series}' is ${value}`);
  if (type === "histogram") requireCumulative(name, samples);
  return { type, help, samples };
}

function requireCumulative(name: string, samples: ReadonlyMap<string, number>): void {
  const buckets = [...samples].flatMap(([series, value]) => {
    const [, bound] = /_bucket\{le="([^"]+)"\}$/.exec(series) ?? [];
    return bound === undefined ? [] : [{ bound: bound === "+Inf" ? Infinity : Number(bound), value }];
  });
  const isRising = buckets.every(
    ({ bound, value }, index) =>
      index === 0 || (bound > (buckets[index - 1]?.bound ?? 0) && value >= (buckets[index - 1]?.value ?? 0)),
  );
  const last = buckets.at(-1);
  if (
    !isRising ||
    last?.bound !== Infinity ||
    last.value !== samples.get(`${name}_count`) ||
    !samples.has(`${name}_sum`)
  )
    throw new Error(`'${name}' is no histogram`);
}
