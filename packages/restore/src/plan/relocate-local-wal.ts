import { dirname, join } from "node:path";
import type { RestorePlan } from "./plan.ts";

/** The plan after the directory that holds some of its segments was renamed. */
export function relocateLocalWal(plan: RestorePlan, from: string, to: string): RestorePlan {
  const segments = plan.chain.segments.map((segment) => {
    const { object } = segment;
    if (object.file === undefined || dirname(object.file) !== from) return segment;
    const file = join(to, object.name);
    return { ...segment, object: { ...object, key: file, file } };
  });
  return { ...plan, chain: { ...plan.chain, segments } };
}
