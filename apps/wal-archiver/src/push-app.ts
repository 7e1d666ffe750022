import { runApp } from "@soar/app-kit";
import { program } from "./program.ts";
import { push } from "./push.ts";

// The other commands take as long to load as this one takes to compress a segment.
await runApp({ ...program, commands: [push] });
