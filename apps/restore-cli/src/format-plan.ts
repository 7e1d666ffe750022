import { formatSize, type Output } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import { controlCommand, describeFence, servicesToStop, type Approach } from "@soar/restore";
import { describeTarget, type CommitPoint, type PlanCheck, type RestorePlan } from "@soar/restore/plan";
import { lineDifference, type ConfigDifference } from "@soar/restore/in-place";
import { downloadText, toDownload } from "./plan-download.ts";
import { toArchive, toArchiveText, unstoredText } from "./local-wal-texts.ts";
import { formatVersion, nearbyText, serverText, timeText } from "./plan-texts.ts";
import type { Hindered, Prepared } from "./prepare.ts";
import { linkRows, whatIsThere } from "./what-is-there.ts";

/** Who is stopped, and started again; as steps for the operator where it cannot be done from here. */
function whatIsStopped(prepared: Prepared): (readonly [string, string])[] {
  const {
    checked: { approach, control },
    dataDir,
  } = prepared;
  const steps = serviceSteps(prepared);
  if ("running" in approach && approach.running !== undefined)
    steps.push([
      "stops",
      `the server with process id ${approach.running}, by: ${controlCommand(control, "stop", dataDir).join(" ")}`,
    ]);
  return steps;
}

function serviceSteps(prepared: Prepared): (readonly [string, string])[] {
  const { checked, appServices } = prepared;
  const isFinished = whatServerDoes(prepared) === "promote";
  const names = appServices.join(", ");
  const stopped = servicesToStop(checked, appServices);
  if (stopped.length > 0)
    return [
      [
        "stops",
        `${stopped.join(", ")}, ${isFinished ? "started again when the server was proved" : "which stay so until the restore is finished"}`,
      ],
    ];
  if (appServices.length === 0) return [];
  if (!checked.canControlServices)
    return [["do first", `stop the applications, because systemd does not run here: ${names}`]];
  return isFinished ? [["starts", `${names}, when the server was proved`]] : [];
}

/** Prints a plan. Throws what stands against it, once it is printed. */
export function showPlan(output: Output, found: Prepared | Hindered): void {
  output.report({
    json: planAsJson(found),
    text: () =>
      "obstacle" in found ? formatRows([...planRows(found.plan), ...checkRows(found.checks)]) : formatPlan(found),
  });
  if ("obstacle" in found) throw found.obstacle;
}

/** The plan for a person: what will happen, with the consequences in words. */
export function formatPlan(prepared: Prepared): string {
  const { plan, walDir, checked, checks, download } = prepared;
  const rows: Row[] = [
    ...planRows(plan, checked.approach),
    ["time", timeText(plan, download, toDownload(plan, checked.approach))],
    [
      "data directory",
      `${directoryText(prepared)} (${formatSize(plan.neededBytes + plan.neededWalBytes)} needed, with its WAL)`,
    ],
    ["WAL directory", walDir === undefined ? undefined : `${walDir}, to which pg_wal is a link`],
    ["what is there", whatIsThere(prepared)],
    ...linkRows(checked),
    ...whatIsStopped(prepared),
    ["afterwards", afterwardsText(prepared)],
    ["stores", toArchiveText(toArchive(prepared))],
    ...checked.configuration.map((text): Row => ["configuration", text]),
    ...plan.passedOver.map(({ label, reason }): Row => ["not used", `${label}: ${reason}`]),
    ...[
      unstoredText(prepared),
      ...plan.warnings,
      ...checked.placeDoubts,
      ...checked.missingHere,
      ...prepared.config.leftOut,
    ].map((warning): Row => ["warning", warning]),
    ...checkRows(checks),
  ];
  return [formatRows(rows), ...prepared.config.differences.flatMap(configText)].join("\n");
}

/** A server that was started by an earlier restore does what it was told then. */
function whatServerDoes({ checked: { approach }, action }: Prepared): Prepared["action"] {
  return approach.kind === "follow"
    ? approach.earlier.action
    : approach.kind === "finish" || approach.kind === "opened"
      ? "promote"
      : action;
}

/** What the server does when the restore is done. */
function afterwardsText(prepared: Prepared): string {
  const {
    plan,
    checked: { inPlace },
  } = prepared;
  const does = whatServerDoes(prepared);
  const archives = does === "promote" ? " and goes on archiving, on a new timeline" : "";
  return inPlace
    ? `${AFTERWARDS[does]}${archives}`
    : `${AFTERWARDS[does]}; as a copy it acts on nobody: ${describeFence(plan.backup)}; soar-restore adopt changes that`;
}

const AFTERWARDS: Record<Prepared["action"], string> = {
  promote: "the server takes writes",
  pause:
    "the server pauses at the target, in recovery: it can be looked at and takes no writes until somebody lets it go on",
  shutdown:
    "the server is shut down at the target, in recovery: it takes no writes until the restore is gone on with, by --target-action promote",
};

function directoryText({ dataDir, namedDir }: Prepared): string {
  return namedDir === dataDir ? dataDir : `${namedDir}, a link that stays and leads to ${dataDir}`;
}

/** A name with what it is; left out when that is undefined. */
type Row = readonly [name: string, text: string | undefined];

function formatRows(rows: readonly Row[]): string {
  return rows.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

/** What the repository alone tells. */
function planRows(plan: RestorePlan, approach?: Approach): Row[] {
  const { backup, resolved, chain } = plan;
  const onDisk = chain.segments.filter(({ object }) => object.file !== undefined);
  return [
    ["repository", plan.location],
    ["target", describeTarget(plan.target)],
    ["base backup", `${backup.label}, consistent at ${backup.stopLsn} (ended ${backup.stoppedAt})`],
    ["server", serverText(plan)],
    ["timeline", String(chain.history.timeline)],
    ["recovery ends", `at ${formatLsn(resolved.stopLsn)}`],
    ["last replayed", commitText(resolved.lastReplayed)],
    ["first left out", resolved.firstLeftOut === undefined ? undefined : commitText(resolved.firstLeftOut)],
    ["nearby", nearbyText(plan)],
    ["to download", downloadText(toDownload(plan, approach))],
    [
      "from this disk",
      onDisk.length === 0
        ? undefined
        : `${onDisk.length} WAL segments that are not in the repository, from ${onDisk[0]?.object.file ?? ""} on`,
    ],
  ];
}

function checkRows(checks: readonly PlanCheck[]): Row[] {
  return checks.map(({ name, outcome, detail }) => [outcome === "passed" ? "checked" : "FAILED", `${name}: ${detail}`]);
}

/** What changes in a configuration file, line by line. */
function configText({ path, present, saved }: ConfigDifference): string[] {
  if (present === undefined) return [`configuration:  ${path} is put back; there is none`];
  return [
    `configuration:  ${path} is put back, and what is there kept beside it:`,
    ...lineDifference(present, saved).map((line) => `  ${line}`),
  ];
}

/** The plan for programs. */
function planAsJson(found: Prepared | Hindered): unknown {
  const { plan } = found;
  const { backup, resolved, chain } = plan;
  return {
    version: 1,
    repository: plan.location,
    target: plan.target,
    backup: {
      label: backup.label,
      startLsn: backup.startLsn,
      stopLsn: backup.stopLsn,
      stoppedAt: backup.stoppedAt,
      timeline: backup.timeline,
      postgresVersion: formatVersion(backup.postgresVersion),
    },
    timeline: chain.history.timeline,
    stopLsn: formatLsn(resolved.stopLsn),
    lastReplayed: commitAsJson(resolved.lastReplayed),
    firstLeftOut: commitAsJson(resolved.firstLeftOut),
    nearby: plan.nearby,
    wal: {
      first: chain.segments[0]?.name,
      last: chain.segments.at(-1)?.name,
      segments: chain.segments.length,
      holes: chain.holes,
    },
    fetchBytes: plan.fetchBytes,
    toDownload: toDownload(plan, "obstacle" in found ? undefined : found.checked.approach),
    neededBytes: plan.neededBytes,
    neededWalBytes: plan.neededWalBytes,
    minimums: plan.minimums,
    ...("obstacle" in found ? {} : machineAsJson(found)),
    passedOver: plan.passedOver,
    warnings: plan.warnings,
    checks: found.checks,
  };
}

function machineAsJson({ plan, dataDir, namedDir, appServices, config, download, action, checked }: Prepared): object {
  const { inPlace, approach, control, freeBytes, programVersion, binDir } = checked;
  const { configuration, linksThere, missingHere, placeDoubts } = checked;
  return {
    download,
    freeBytes,
    programs: { version: programVersion, directory: binDir },
    dataDir,
    namedDir,
    config: config.differences.map(({ path, present }) => ({ path, present: present !== undefined })),
    approach: approach.kind,
    targetAction: action,
    configuration,
    linksThere,
    missingHere: [...missingHere, ...config.leftOut],
    inPlace,
    placeDoubts,
    stores: toArchive({ plan, checked }).map(({ name }) => name),
    stops: {
      server:
        "running" in approach && approach.running !== undefined
          ? controlCommand(control, "stop", dataDir).join(" ")
          : undefined,
      services: servicesToStop(checked, appServices),
    },
  };
}

function commitText(point: CommitPoint | undefined): string {
  return point === undefined
    ? "not looked for"
    : `commit of ${formatTargetTime(point.time)} at ${formatLsn(point.lsn)}`;
}

function commitAsJson(point: CommitPoint | undefined): unknown {
  return point && { lsn: formatLsn(point.lsn), time: formatTargetTime(point.time) };
}
