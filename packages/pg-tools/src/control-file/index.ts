// global/pg_control.

export { type ControlFile, readControlFile } from "./control-file.ts";
