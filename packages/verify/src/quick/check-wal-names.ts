import { formatWalSegment, segmentIndexOfLsn, type TimelineHistory } from "@soar/pg-tools";
import { readWalDescription, type TimelineSegments, type WalObject } from "@soar/repository/wal";
import type { CallOptions } from "@soar/storage";
import { isDamage, RESTORE_OBJECT, type Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

/** What the names and sizes of the segments of one timeline tell, from segment `fromIndex` on. */
export async function checkSegmentNames(
  survey: Survey,
  { timeline, segments }: TimelineSegments,
  options: CallOptions & { readonly fromIndex: number; readonly histories: readonly TimelineHistory[] },
): Promise<Finding[]> {
  const { walSegmentSize } = survey.repository;
  const begin = beginOf(options.histories, timeline, walSegmentSize);
  const findings: Finding[] = [];
  for (const [index, objects] of segments) {
    if (index < begin)
      findings.push(
        ...objects.map(({ key }) =>
          misplaced(key, timeline, formatWalSegment({ timeline, index: begin }, walSegmentSize)),
        ),
      );
    else if (index >= options.fromIndex) {
      findings.push(...objects.flatMap((object) => wrongSize(object, walSegmentSize)));
      if (objects.length > 1) findings.push(await compareCopies(survey, objects, options));
    }
  }
  return findings;
}

/** The segment in which a timeline left its parent: nothing before it was ever written on it. */
function beginOf(histories: readonly TimelineHistory[], timeline: number, segmentSize: number): number {
  const switchLsn = histories.find((history) => history.timeline === timeline)?.entries.at(-1)?.switchLsn;
  return switchLsn === undefined ? 0 : segmentIndexOfLsn(switchLsn, segmentSize);
}

function misplaced(where: string, timeline: number, first: string): Finding {
  return {
    kind: "wal-misplaced",
    severity: "warning",
    where,
    what: `timeline ${timeline} begins in '${first}', so that its server cannot have written this segment`,
    advice: "No restore reads it. Find out what wrote it, and remove it.",
  };
}

/** A description has more than this, whatever the segment holds. */
const SMALLEST_COMPRESSED = 150;

function wrongSize({ key, size, codec }: WalObject, segmentSize: number): Finding[] {
  // Compressors add little to what they cannot compress.
  const largest = codec === "none" ? segmentSize : segmentSize + segmentSize / 64 + 4096;
  const smallest = codec === "none" ? segmentSize : SMALLEST_COMPRESSED;
  if (size >= smallest && size <= largest) return [];
  const what =
    codec === "none"
      ? `it has ${size} bytes, a segment has ${segmentSize}`
      : `${size} bytes cannot be a compressed segment of ${segmentSize}`;
  return [{ kind: "wal-wrong-size", severity: "error", where: key, what, advice: WAL_ADVICE }];
}

export const WAL_ADVICE =
  "If the segment is still in pg_wal of the server, remove the object and archive it again with soar-wal-archive. Else restore an older version of the object from the bucket; until then recovery ends before it.";

/** One segment under two suffixes, after a change of compression. What they say of themselves is compared, or their bytes. */
async function compareCopies({ store }: Survey, objects: readonly WalObject[], options: CallOptions): Promise<Finding> {
  const compressed = objects.filter(({ codec }) => codec !== "none");
  const digests = new Set<string>();
  for (const object of compressed) {
    try {
      digests.add((await readWalDescription(store, object, options)).description.sha256);
    } catch (error) {
      // Damage is told by the check that reads it; whether it once was the same cannot be.
      if (!isDamage(error)) throw error;
    }
  }
  const isCompared = compressed.length === objects.length;
  return duplicate(objects, digests.size > 1 ? "different" : isCompared ? "equal" : "unknown");
}

export function duplicate(objects: readonly WalObject[], content: "equal" | "different" | "unknown"): Finding {
  const [first] = objects;
  const detail = { equal: " with equal bytes", different: " with different bytes", unknown: "" }[content];
  return {
    kind: "wal-duplicate",
    severity: content === "different" ? "error" : "warning",
    where: first?.name ?? "",
    what: `it is stored ${objects.length} times${detail}: ${objects.map(({ key }) => key).join(", ")}`,
    advice:
      content === "different"
        ? "Recovery could take either. Find out which one the server wrote (pg_waldump), and remove the other."
        : "Harmless if both were archived by this program after a change of compression; expiry removes them together.",
  };
}

/** The last segment of each timeline, which nothing behind it confirms, must be what its name says. */
export async function checkLastSegments(
  { store, inventories, repository }: Survey,
  options: CallOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { segments } of inventories.values()) {
    const last = [...segments.keys()].reduce((most, index) => Math.max(most, index), -1);
    for (const object of segments.get(last) ?? []) {
      if (object.codec === "none") continue;
      const what = await misdescribed(store, object, { repository, ...options });
      if (what !== undefined)
        findings.push({
          kind: "wal-damaged",
          severity: "error",
          where: object.key,
          what,
          advice: `${WAL_ADVICE} ${RESTORE_OBJECT}`,
        });
    }
  }
  return findings;
}

async function misdescribed(
  store: Survey["store"],
  object: WalObject,
  { repository, signal }: CallOptions & Pick<Survey, "repository">,
): Promise<string | undefined> {
  try {
    const { description } = await readWalDescription(store, object, { signal });
    if (description.name !== object.name) return `it describes itself as '${description.name}'`;
    if (description.size !== repository.walSegmentSize)
      return `it says that it holds ${description.size} bytes, a segment has ${repository.walSegmentSize}`;
    const { sysid } = description;
    return sysid === undefined || sysid === repository.systemIdentifier
      ? undefined
      : `it is a segment of another cluster, with system identifier ${sysid}`;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return error.message;
  }
}
