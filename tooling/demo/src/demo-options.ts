/** What can be set from outside; all of it has a default. */
export interface DemoOptions {
  /** Size of the data on disk, of both databases together, in MiB. */
  readonly megabytes: number;
  /**
   * `before` restores to the second before the accident. `accident` restores to the accident itself, to see that the proof
   * notices a restore that goes to the wrong instant.
   */
  readonly target: "before" | "accident";
}

/** An option that cannot be used. */
export class OptionProblem extends Error {
  override readonly name = "OptionProblem";
}

const DEFAULT_MEGABYTES = 540;
/** Below this the tables are hardly there; above it, other things than this demo are needed to say anything. */
const MEGABYTES = { least: 10, most: 100_000 } as const;

/** Reads `SOAR_DEMO_MEGABYTES` and `SOAR_DEMO_TARGET`; there are no words of the command line. Throws an `OptionProblem`. */
export function readDemoOptions(
  environment: Readonly<Record<string, string | undefined>>,
  words: readonly string[] = [],
): DemoOptions {
  if (words.length > 0)
    throw new OptionProblem(
      `'${words.join(" ")}' is no option of the demo: SOAR_DEMO_MEGABYTES and SOAR_DEMO_TARGET in the environment are`,
    );
  const size = environment["SOAR_DEMO_MEGABYTES"] ?? String(DEFAULT_MEGABYTES);
  const megabytes = Number(size);
  if (!/^\d+$/.test(size) || megabytes < MEGABYTES.least || megabytes > MEGABYTES.most) {
    throw new OptionProblem(
      `SOAR_DEMO_MEGABYTES is '${size}': it has to be a whole number from ${MEGABYTES.least} to ${MEGABYTES.most}`,
    );
  }
  const target = environment["SOAR_DEMO_TARGET"] ?? "before";
  if (target !== "before" && target !== "accident")
    throw new OptionProblem(`SOAR_DEMO_TARGET is '${target}': it has to be 'before' or 'accident'`);
  return { megabytes, target };
}
