import type { PerformanceDocument } from "../document.ts";
import { growthDerived, recoveryTime } from "./derived.ts";
import { TOOL_TITLES, whole } from "./figures.ts";
import { besideOthers, growthMeasured, ratesBesideLimits } from "./tables.ts";

/** docs/performance.md: every figure is of the document, or computed from it and called so. */
export function formatPerformancePage(document: PerformanceDocument): string {
  return `# Performance

This page is generated from [performance.json](performance.json), which holds what one run of \`npm run bench\` measured and
nothing else. What is computed from it is called computed.

${describeRun(document)}

Measure again, on a quiet machine, and write both files (pages with plots: \`npm run bench -- plots\`):

\`\`\`sh
npm run bench -- performance --peers --sizes 1,3 --json docs/performance.json
node --conditions=soar-source tooling/checks/src/generated-docs.ts --write
\`\`\`

## Beside the limits of the machine

A limit is one part of the work by itself, with the tools that everybody has, on the same files in the same run: reading, hashing,
compressing, sending. The percentage says how much of that part's rate the whole work reaches. No work can reach all of them at
once, because they share the same cores. The store is an S3 test server on the same machine, over TLS, and takes its part of
the cores too. MB/s are of the cluster's files, \`pg_wal\` not counted; of the store's limits, of what is stored.

The parts in turn are computed: what compressing, hashing, sending (or receiving, decompressing, hashing and writing) take one after the
other, each on all cores, with nothing between them. A work that reaches 100 % of it costs nothing besides its parts; a restore also
starts a server and recovers. Where cores are idle while a part waits, more than 100 % are possible.

${ratesBesideLimits(document)}

## Beside other tools

The same codec and level, the same jobs, the same store and the same cluster in the same run, one tool after the other. A ratio
above 1 means that Soar is faster; of what is stored, above 1 means that Soar stores more. Memory is the sum of each living process's
highest, without the server's. A restore of Soar includes the start of the server and recovery to consistency, the others'
do not. pg_basebackup has no store: it writes a local file.

${besideOthers(document)}

## How the cost grows

${growthMeasured(document)}

Beyond, nothing is measured with a real cluster. Backups and restores of these sizes are run on synthetic streams, of which the
beginning flows; the rest is computed.

${growthDerived(document)}

## Recovery time at the owner's size

${recoveryTime(document)}
`;
}

function describeRun({ measured, tools }: PerformanceDocument): string {
  const { at, commit, machine, cores, memory, node, postgres, loadBefore, loadAfter, runs, jobs } = measured;
  const versions = Object.entries(tools).flatMap(([name, version]) =>
    version === null || name === "soar" ? [] : [`${TOOL_TITLES[name as keyof typeof TOOL_TITLES]} ${version}`],
  );
  return [
    `Measured ${at.slice(0, 16).replace("T", " ")} UTC at commit \`${commit}\`: ${cores} x ${machine}, ${whole(memory / 1e9)} GB of memory, Node ${node},`,
    `PostgreSQL ${postgres}, ${jobs} jobs, the middle of ${runs} runs${versions.length === 0 ? "" : `, beside ${versions.join(", ")}`}.`,
    `Load of the machine before ${loadBefore.toFixed(1)}, after ${loadAfter.toFixed(1)}: above ${cores} others were at work, and figures are lower than the machine's.`,
  ].join("\n");
}
