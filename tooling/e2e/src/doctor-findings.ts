import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { runDoctor, type DoctorOptions, type Examination } from "@soar/verify";
import { expect } from "vitest";

/** Everything that the doctor says of a set-up, by kind. It looks only. */
export async function examineSetUp(
  directory: string,
  options: Pick<DoctorOptions, "server"> & Partial<DoctorOptions>,
): Promise<Record<string, Examination>> {
  const seen = await Array.fromAsync(
    runDoctor({
      store: { url: `file://${directory}` },
      policy: { windowDays: 30, minimumBackups: 4 },
      envFile: undefined,
      spoolDir: directory,
      tempDir: directory,
      programs: undefined,
      searchPath: "",
      binDir: requireInstallation().binDir,
      roundTripMs: undefined,
      now: new Date(),
      signal: undefined,
      ...options,
    }),
  );
  return Object.fromEntries(seen.map((one) => [one.kind, one]));
}

/** A finding, for `toMatchObject`. */
export const saying = (severity: Examination["severity"], what: RegExp, advice: RegExp) => ({
  severity,
  what: expect.stringMatching(what) as string,
  advice: expect.stringMatching(advice) as string,
});
