import { pushThroughArchiver } from "./push-through-archiver.ts";

// PostgreSQL starts a process per segment. When the resident archiver can answer, nothing else of this program is loaded.
const status = await pushThroughArchiver(process.argv.slice(2), process.env);
if (status === undefined) await import("./app.ts");
else process.exitCode = status;
