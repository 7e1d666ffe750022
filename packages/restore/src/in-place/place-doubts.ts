import { hostname } from "node:os";
import { areOfOneMachine, ownMachineId } from "@soar/durable-files/processes";
import type { BackupRecord } from "@soar/repository";

/** A machine by its name and its published id. */
export interface NamedMachine {
  readonly host: string;
  readonly machine?: string | undefined;
}

/**
 * What contradicts the judgement by which a restore is one in place. That goes by path and name: a machine that takes the place of a lost one
 * has its name and another id, and machines made from one image may have one id under several names. But a name alone does not
 * tell two machines apart of which both live, nor does it know one that was given another name.
 *
 * @param namedDir as it was named
 */
export async function findPlaceDoubts(
  { source }: Pick<BackupRecord, "source">,
  namedDir: string,
  given?: NamedMachine,
): Promise<string[]> {
  if (source.dataDirectory !== namedDir || source.machine === undefined) return [];
  const own = given ?? { host: hostname(), machine: await ownMachineId() };
  const isSame = areOfOneMachine(own, source);
  if (own.machine === undefined || isSame === (own.host === source.host)) return [];
  return isSame
    ? [
        `this machine has the id of the one that was backed up, and another name ('${own.host}' instead of '${source.host}'): the restore makes a copy, which acts on nobody; where it is the same machine, soar-restore adopt makes it the server again`,
      ]
    : [
        `this machine has the name of the one that was backed up ('${source.host}'), and another id (machine-id): the restore takes its place, and archives into its repository; where that one still runs, restore into another directory`,
      ];
}
