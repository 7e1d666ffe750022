import { posix } from "node:path";
import type { Check, Finding } from "./check.ts";
import type { WorkspacePackage } from "./workspace.ts";

/** One room of a package imports another, with the first import that does. */
interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly line: number;
  readonly target: string;
}

/**
 * Folders of one package do not import each other in a circle, types counted: one that is read alone must not need its
 * reader. A file that lies in `src` itself is a room of its own, because such files are the steps of the whole.
 */
export const folderCircles: Check = {
  name: "folders form no circle",
  find: ({ packages }) => packages.flatMap((owner) => findCircles(readArrows(owner))),
};

function readArrows({ folder, modules }: WorkspacePackage): Arrow[] {
  const source = `${folder}/src`;
  const arrows = new Map<string, Arrow>();
  for (const { path, isTest, imports } of modules) {
    if (isTest || !path.startsWith(`${source}/`)) continue;
    for (const { specifier, line } of imports.filter((one) => one.specifier.startsWith("."))) {
      const target = posix.join(posix.dirname(path), specifier);
      const [from, to] = [roomOf(path, source), roomOf(target, source)];
      const name = `${from} -> ${to}`;
      if (from !== to && !arrows.has(name)) arrows.set(name, { from, to, path, line, target });
    }
  }
  return Array.from(arrows.values());
}

function roomOf(path: string, source: string): string {
  const folder = posix.dirname(path);
  return folder === source ? path : folder;
}

/** One finding for each arrow that lies on a circle. */
function findCircles(arrows: readonly Arrow[]): Finding[] {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of arrows) next.set(from, (next.get(from) ?? new Set()).add(to));
  return arrows
    .filter(({ from, to }) => leadsTo(to, from, next))
    .map(({ from, to, path, line, target }) => ({
      path,
      line,
      message: `'${target}' is above: ${to} needs ${from}; move what both need below them`,
    }));
}

function leadsTo(start: string, end: string, next: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const seen = new Set([start]);
  for (const room of seen) {
    if (room === end) return true;
    for (const other of next.get(room) ?? []) seen.add(other);
  }
  return false;
}
