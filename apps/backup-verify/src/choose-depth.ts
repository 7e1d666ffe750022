import type { Config } from "@soar/app-kit";
import { isSoarError, SoarError } from "@soar/errors";
import { NOTHING_READ, openReadMemory, type Depth, type Finding, type ReadMemory } from "@soar/verify";
import type { verifyOptions } from "./options.ts";

type DepthConfig = Pick<Config<typeof verifyOptions>, "level" | "sample" | "rereadWithinMs" | "everyMs" | "stateDir">;

export interface ChosenDepth {
  readonly depth: Depth;
  /** Undefined where nothing is remembered: nothing of the bytes is read, or the directory cannot be used. */
  readonly memory: ReadMemory | undefined;
  readonly findings: readonly Finding[];
}

export interface DepthRequest {
  readonly labels: readonly string[];
  readonly location: string;
  /** The command line: what it says goes before the env file, which says how the timer's runs sample. */
  readonly argv: readonly string[];
}

/** What the options ask for, before the memory is looked at: a level of its own for the metrics, too. */
export function levelOf(
  { level }: Pick<DepthConfig, "level">,
  { labels, argv }: Omit<DepthRequest, "location">,
): Depth["level"] {
  return isSampleAskedFor(argv) ? "sample" : (level ?? (labels.length > 0 ? "full" : "sample"));
}

function isSampleAskedFor(argv: readonly string[]): boolean {
  return argv.some((word) => word === "--sample" || word.startsWith("--sample="));
}

/** Turns the options into how much is read. Rejects with `USAGE` or `CONFIG_INVALID` for what contradicts itself. */
export async function chooseDepth(config: DepthConfig, { location, ...request }: DepthRequest): Promise<ChosenDepth> {
  const { sample } = config;
  if ((config.level === "full" || config.level === "stored") && isSampleAskedFor(request.argv))
    throw new SoarError("USAGE", `--level ${config.level} reads everything: there is nothing to sample`, {
      hint: `Leave out --level ${config.level}, or --sample.`,
    });
  const level = levelOf(config, request);
  const rules = sample === undefined ? rulesOf(config) : { newest: false, share: parseShare(sample) };
  if (level === "quick") return { depth: { level }, memory: undefined, findings: [] };
  const { memory, findings } = await openMemory(config.stateDir, location);
  // Everything is read in any case; that it is not remembered costs a later sample some bytes.
  if (level === "full" || level === "stored")
    return { depth: { level }, memory, findings: findings.map((finding) => ({ ...finding, severity: "notice" })) };
  return { depth: { level: "sample", memory: memory ?? NOTHING_READ, ...rules }, memory, findings };
}

/** As many runs as fit into the time share the bytes; what would be too old before the next run is read now. */
function rulesOf({ rereadWithinMs, everyMs }: DepthConfig): { newest: true; share: number; longestMs: number } {
  const runs = Math.max(1, Math.floor(rereadWithinMs / everyMs));
  return { newest: true, share: 1 / runs, longestMs: Math.max(0, rereadWithinMs - everyMs) };
}

function parseShare(text: string): number {
  const [, number] = /^(\d{1,3}(?:\.\d{1,6})?) ?%$/.exec(text.trim()) ?? [];
  const share = Number(number) / 100;
  if (number !== undefined && share > 0 && share <= 1) return share;
  throw new SoarError("CONFIG_INVALID", `'${text}' is no share of the stored bytes`, {
    hint: "Give a percentage like 3% or 0.5%, at most 100%.",
  });
}

/** Without a memory the sample is chosen by when objects were stored, so that the same ones are read again and again. */
async function openMemory(directory: string, location: string): Promise<Pick<ChosenDepth, "memory" | "findings">> {
  try {
    return { memory: await openReadMemory(directory, location), findings: [] };
  } catch (error) {
    if (!isSoarError(error)) throw error;
    return { memory: undefined, findings: [unusable(directory, error)] };
  }
}

export function unusable(directory: string, { message, hint }: SoarError): Finding {
  return {
    kind: "memory-unusable",
    severity: "warning",
    where: directory,
    what: `${message}: it is not known what was read before, and every run samples the same bytes`,
    advice: hint ?? "Make the directory writable.",
  };
}
