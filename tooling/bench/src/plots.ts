// A page with the plots of docs/performance.json, which needs no network: `npm run bench -- plots [JSON [HTML]]`.
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "./performance/document.ts";
import { formatPlotsPage } from "./plots/plots-page.ts";

const MEASURED = fileURLToPath(new URL("../../../docs/performance.json", import.meta.url));
const [from = MEASURED, to = join(tmpdir(), "soar-performance.html")] = process.argv.slice(2);
writeFileSync(to, formatPlotsPage(parseDocument(readFileSync(from, "utf8"))));
console.log(`wrote ${to}`);
