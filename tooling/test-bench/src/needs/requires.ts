/** What not every machine has, and a test needs in order to look at what it is about. */
export type Need =
  | "root"
  | "mount"
  | "fuse"
  | "systemd"
  | "debian"
  | "chromium"
  | "zlib-sync"
  | "postgres-clients"
  | `major-${number}`;

/** Why tests with this need are skipped on this machine; `npm test` shows it, and CI does not accept it. */
export interface Lack {
  readonly need: string;
  readonly reason: string;
}

declare module "vitest" {
  interface TaskMeta {
    lack?: Lack;
  }
}

const PREFIX = "needs-";

/**
 * Options of a test or a suite that can look only where the machine has all of this: `test("...", requires("mount"), ...)`.
 * Elsewhere it is skipped, its hooks with it, and named with the reason; it never passes without having looked. A whole
 * file is marked by a comment, `// @module-tag needs-mount`.
 */
export function requires(...needs: readonly [Need, ...Need[]]): { readonly tags: string[] } {
  return { tags: needs.map((need) => `${PREFIX}${need}`) };
}

/** How to find out whether this machine has something. */
export interface NeedProbe {
  readonly need: Need;
  readonly description: string;
  /** Undefined: it has. Else what is missing, and where it comes from. */
  readonly findLack: () => string | undefined;
}

interface NeedTag {
  readonly name: string;
  readonly description: string;
  readonly skip: boolean;
  readonly meta?: { readonly lack: Lack };
}

/** The tags that `requires` gives, for the configuration of vitest. Looks at this machine, once for all workers. */
export function tagsOfNeeds(probes: readonly NeedProbe[]): NeedTag[] {
  return probes.map(({ need, description, findLack }) => {
    const reason = findLack();
    const tag = { name: `${PREFIX}${need}`, description, skip: reason !== undefined };
    return reason === undefined ? tag : { ...tag, meta: { lack: { need, reason } } };
  });
}
