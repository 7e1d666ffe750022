// The time of day, as far as the bucket proves it.

export { describeSpan } from "./describe-span.ts";
export { ageAt, proveTime, type ProvedTime, type StampBounds } from "./proved-time.ts";
export { settleClock, type SettledClock } from "./settle-clock.ts";
export { storeTime } from "./store-time.ts";
export { compareClocks, steadyClock, type OtherClock, type SteadyClock } from "./steady-clock.ts";
