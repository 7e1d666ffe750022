import type { PostgresInstallation } from "@soar-tooling/postgres-clusters";
import {
  loadData,
  prove,
  rememberGoodMoment,
  restore,
  takeBackup,
  tellAccident,
  tellLoss,
  tellSetup,
  type Scene,
} from "./chapters.ts";
import type { DemoOptions } from "./demo-options.ts";
import { createDemoWorld } from "./demo-world.ts";
import type { Story } from "./story.ts";

export interface DemoRun extends DemoOptions {
  readonly installation: PostgresInstallation;
  readonly story: Story;
  /** Ends it early; everything is removed then, too. */
  readonly signal: AbortSignal;
}

/** Tells the whole story, and removes everything again. Resolves to whether the restored rows were proved to be the right ones. */
export async function runDemo({ signal, ...run }: DemoRun): Promise<boolean> {
  const { story, installation } = run;
  const chapter = async <T>(title: string, tell: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    story.beginChapter(title);
    const result = await tell();
    story.endChapter();
    return result;
  };
  story.beginChapter("A server that archives its WAL");
  await using world = await createDemoWorld(installation, signal);
  const scene: Scene = { ...run, world };
  tellSetup(scene);
  story.endChapter();
  await chapter(`About ${run.megabytes} MiB of aviation data`, () => loadData(scene));
  await chapter("A base backup, while writes go on", () => takeBackup(scene));
  const good = await chapter("A good moment", () => rememberGoodMoment(scene));
  const accident = await chapter("The accident", () => tellAccident(scene));
  await chapter("And then the server is lost", () => tellLoss(scene));
  const target = run.target === "before" ? good.second : accident.at;
  await chapter(
    run.target === "before" ? "Back to the second before the accident" : "Back to the wrong instant, on purpose",
    () => restore(scene, target),
  );
  return await chapter("The proof", () => prove(scene, good, accident));
}
