export { formatGuard } from "./program-guard.ts";
