import { setFlagsFromString } from "node:v8";

/**
 * For programs whose memory is a few large buffers behind a small heap. V8 counts the buffers, and by default marks the whole
 * heap on threads of its own after every 64 MB that pass through: half of all processor time of reading 400 MB over TLS in
 * pieces of 16 KiB (Node 24; 70 collections of the whole heap for 1.2 GB, 8 with this). With a young generation that stays small,
 * its cheap collections find the buffers first, and memory stays below what it is without. To be called before any work.
 */
export function favourLargeBuffers(how: BufferUse = {}): void {
  for (const flag of largeBufferFlags(process.versions.node, how)) setFlagsFromString(flag);
}

export interface BufferUse {
  /** Whether the program goes on for ever: a heap that may grow gives memory back late. */
  readonly isResident?: boolean;
}

/**
 * The flags of a version of Node whose V8 is known to have them (24.21 and 26.10 were looked at). Any other V8 would write that it does not
 * know them to standard error: two lines for each segment in the log of a server.
 */
export function largeBufferFlags(version: string, { isResident = false }: BufferUse = {}): readonly string[] {
  const major = Number.parseInt(version, 10);
  if (!(major >= 24 && major <= 26)) return [];
  return [
    // Buffers count like the heap itself, which may grow by a share of all that is alive.
    "--external-memory-accounted-in-global-limit",
    // Four times as much: the heap itself stays at some 20 MB, and what is large in it is given back by hand.
    ...(isResident ? [] : ["--heap-growing-percent=300"]),
    // The size itself can only be set at the start of the process; it begins small and would grow.
    "--semi-space-growth-factor=1",
  ];
}
