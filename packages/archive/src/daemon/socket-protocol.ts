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

/** A line that came back; undefined for one that no archiver says. */
export function parseMessage(line: string): SocketMessage | undefined {
  const message = parsed(line);
  if (isRecord(message) && ANSWERS.some((isAnswer) => isAnswer(message))) return message as unknown as SocketMessage;
  return undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const ANSWERS: readonly ((message: Fields) => boolean)[] = [
  ({ done }) =>
    isRecord(done) &&
    typeof done["answer"] === "string" &&
    typeof done["logsArchive"] === "boolean" &&
    isTextIfThere(done["warning"]),
  ({ failed }) =>
    isRecord(failed) &&
    typeof failed["message"] === "string" &&
    isTextIfThere(failed["hint"]) &&
    isFailure(failed["exitStatus"]),
  ({ declined }) => typeof declined === "string",
  ({ accepted }) => isRecord(accepted) && typeof accepted["timeoutMs"] === "number",
  ({ status }) => isRecord(status),
];

function isTextIfThere(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

/** A failure that ends with 0 would be an archived file. */
function isFailure(status: unknown): boolean {
  return typeof status === "number" && status >= 1 && status <= 125;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Longest line that is read; a request has some hundred bytes, a status a few thousand. */
export const LONGEST_LINE = 256 * 1024;

export const SOCKET_NAME = "socket";
