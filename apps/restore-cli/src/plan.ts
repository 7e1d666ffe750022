import { defineCommand, openConfiguredStore } from "@soar/app-kit";
import { showPlan } from "./format-plan.ts";
import { inspect } from "./prepare.ts";
import { directoryOptions, targetOptions } from "./target-options.ts";

export const plan = defineCommand({
  name: "plan",
  summary: "Show what a restore would do, and prove that it can. Changes nothing.",
  options: { ...targetOptions, ...directoryOptions },
  examples: [
    {
      command: "soar-restore plan --target-time '2025-01-10 14:25:00'",
      explanation: "which backup, how much WAL, where recovery would end",
    },
  ],
  logFile: "none",
  async run({ config, log, output, signal, envFile }) {
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      showPlan(output, await inspect(store, config, signal));
    } finally {
      await store.close();
    }
  },
});
