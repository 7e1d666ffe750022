import { isPlainPush, pushThroughArchiver } from "./push-through-archiver.ts";

// PostgreSQL starts a process per segment. When the resident archiver can answer, nothing else of this program is loaded.
const argv = process.argv.slice(2);
const status = await pushThroughArchiver(argv, process.env);
if (status !== undefined) process.exitCode = status;
else if (isPlainPush(argv)) await import("./push-app.ts");
else await import("./app.ts");
