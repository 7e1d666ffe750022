// For a program that prints before it loads anything else of this package.

export { formatLogLine } from "./log.ts";
export { visibleParagraph } from "./visible.ts";
