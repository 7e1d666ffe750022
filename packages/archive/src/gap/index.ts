// WAL that is given up on purpose.

export { declareGap, type DeclareGapOptions } from "./declare-gap.ts";
export { describeGivenUp } from "./given-up.ts";
export { planGap, type GapPlan, type PlanGapOptions } from "./plan-gap.ts";
