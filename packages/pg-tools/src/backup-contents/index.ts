// What a base backup of a data directory holds.

export { type ContentEntry, listDataDirectory, listTablespace, type ListContentsOptions } from "./list-contents.ts";
