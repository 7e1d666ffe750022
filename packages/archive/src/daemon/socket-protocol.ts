import type { CallerSettings } from "./repository-binding.ts";

/**
 * One request per connection, every message one line of JSON.
 *
 *     -> {"push": {"directory", "name", "caller" | "repository"}}
 *     <- {"accepted": {"timeoutMs"}}           at once, then after a while one of:
 *     <- {"done": {"answer", "logsArchive", "warning"?}}   {"failed": {"code", "message", "hint", "exitStatus"}}
 *     <- {"declined": "why"}                   also at once: the caller has to archive by itself
 *     -> {"status": {}}
 *     <- {"status": {...}}
 */
export interface PushRequest {
  /** Absolute path of the directory that the caller's %p lies in. */
  readonly directory: string;
  readonly name: string;
  /** What the caller knows without reading the env file. */
  readonly caller?: CallerSettings | undefined;
  /** What the caller's whole configuration says. */
  readonly repository?: { readonly bucket: string; readonly endpoint: string } | undefined;
}

export type SocketRequest = { readonly push: PushRequest } | { readonly status: Record<string, never> };

export type PushAnswer =
  | { readonly done: { readonly answer: string; readonly logsArchive: boolean; readonly warning?: string | undefined } }
  | {
      readonly failed: {
        readonly code: string;
        readonly message: string;
        readonly hint?: string | undefined;
        readonly exitStatus: number;
      };
    }
  | { readonly declined: string };

export type SocketMessage =
  | PushAnswer
  | { readonly accepted: { readonly timeoutMs: number } }
  | { readonly status: unknown };

/** Longest line that is read; a request has some hundred bytes, a status a few thousand. */
export const LONGEST_LINE = 256 * 1024;

export const SOCKET_NAME = "socket";
