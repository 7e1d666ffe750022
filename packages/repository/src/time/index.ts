// The time of day, as far as the bucket proves it.

export { ageAt, type ProvedTime } from "./proved-time.ts";
