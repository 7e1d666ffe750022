import { type ErrorCode, isSoarError, SoarError } from "@soar/errors";

interface FileFailure {
  readonly code: ErrorCode;
  readonly fact: string;
  readonly hint?: string;
}

/** What the errors of the file system mean for a store; everything else is handed on as it is, as a bug. */
const FILE_FAILURES: Readonly<Record<string, FileFailure>> = {
  ENOSPC: {
    code: "STORE_QUOTA",
    fact: "the file system is full",
    hint: "Make room on the file system of the repository.",
  },
  EDQUOT: {
    code: "STORE_QUOTA",
    fact: "the disk quota is exhausted",
    hint: "Raise the quota of this user or make room.",
  },
  EFBIG: {
    code: "STORE_QUOTA",
    fact: "the file would be larger than the file system or the limits of this process allow",
  },
  EACCES: {
    code: "STORE_DENIED",
    fact: "permission denied",
    hint: "Give the user that runs this program access to the directory of the repository.",
  },
  EPERM: {
    code: "STORE_DENIED",
    fact: "operation not permitted",
    hint: "Check the owner and the attributes (lsattr) of the directory.",
  },
  EROFS: {
    code: "STORE_DENIED",
    fact: "the file system is mounted read-only",
    hint: "Remount it read-write after checking the kernel log for disk errors.",
  },
  EIO: {
    code: "STORE_PROTOCOL",
    fact: "the disk reported an input/output error",
    hint: "Check the kernel log; the disk may be failing.",
  },
  EMFILE: { code: "STORE_BUSY", fact: "this process has too many open files" },
  ENFILE: { code: "STORE_BUSY", fact: "the system has too many open files" },
  EBUSY: { code: "STORE_BUSY", fact: "the file system is busy" },
  EAGAIN: { code: "STORE_BUSY", fact: "the file system is busy" },
  ESTALE: { code: "STORE_UNREACHABLE", fact: "the network file system lost the file handle" },
  ETIMEDOUT: { code: "STORE_UNREACHABLE", fact: "the network file system does not answer" },
  EHOSTDOWN: { code: "STORE_UNREACHABLE", fact: "the host of the network file system is down" },
  ENOTCONN: { code: "STORE_UNREACHABLE", fact: "the network file system is disconnected" },
  ENODEV: { code: "STORE_UNREACHABLE", fact: "the device is gone" },
  ENAMETOOLONG: { code: "STORE_UNSUPPORTED", fact: "the file system takes no name or path of this length" },
  EILSEQ: { code: "STORE_UNSUPPORTED", fact: "the file system does not take a character of the name" },
  ELOOP: { code: "STORE_UNSUPPORTED", fact: "there is a loop of symbolic links" },
  EXDEV: {
    code: "STORE_UNSUPPORTED",
    fact: "a part of the directory lies on another file system",
    hint: "Keep the whole repository on one file system.",
  },
  ENOTDIR: { code: "STORE_UNSUPPORTED", fact: "a directory of this name would be needed, but an object has it" },
  EISDIR: { code: "STORE_UNSUPPORTED", fact: "a directory has this name, because other keys begin with it" },
  ENOTEMPTY: { code: "STORE_UNSUPPORTED", fact: "a directory has this name, because other keys begin with it" },
};

/** Error number of a failed system call, such as ENOENT; undefined for anything else. */
function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error
    ? error.code
    : undefined;
}

/** True for a failed system call with one of these error numbers. */
export function hasSystemErrorCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = systemErrorCode(error);
  return code !== undefined && codes.includes(code);
}

/** Turns a failed system call into the failure of the contract. `action` completes "unable to ...". */
export function classifyFileError(error: unknown, action: string): unknown {
  const code = systemErrorCode(error);
  if (isSoarError(error) || code === undefined) return error;
  const failure = FILE_FAILURES[code] ?? { code: "STORE_PROTOCOL", fact: `the file system answered ${code}` };
  return new SoarError(failure.code, `unable to ${action}: ${failure.fact}`, { hint: failure.hint, cause: error });
}
