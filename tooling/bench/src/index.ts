// What the bench has measured, and the page that is made of it.

export { formatDocument, parseDocument, type PerformanceDocument } from "./performance/document.ts";
export { formatPerformancePage } from "./performance/page/page.ts";
