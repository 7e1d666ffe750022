import { favourLargeBuffers, runApp } from "@soar/app-kit";
import { daemon } from "./daemon/daemon.ts";
import { gapDeclare } from "./gap/declare.ts";
import { gapList } from "./gap/list.ts";
import { program } from "./program.ts";
import { push } from "./push.ts";
import { status } from "./status/status.ts";

favourLargeBuffers({ isResident: true });
await runApp({ ...program, commands: [push, daemon, status, gapDeclare, gapList] });
