import { createRequire } from "node:module";
import type * as ZlibSync from "zlib-sync";

// Child process of `zlib-sync.test.ts`.

export interface ReadRequest {
  readonly stored: Uint8Array;
  readonly pieceBytes: number;
}

export interface ReadReply {
  readonly plain: Uint8Array;
  /** Members that were read to their end. */
  readonly members: number;
  /** Why reading stopped before the end of the bytes, or that it could not. */
  readonly fact: string | undefined;
}

/** `windowBits` of inflateInit2: 15, and 16 for gzip's header and trailer. */
const GZIP = { windowBits: 31 };

const zlibSync = createRequire(import.meta.url)("zlib-sync") as typeof ZlibSync;

/**
 * No object of the binding may ever be collected: its destructor aborts the process unless JavaScript is running at that
 * moment (RemoveEnvironmentCleanupHook, "(env) != nullptr"). So they are kept, and this process is killed instead of ending.
 */
const kept: ZlibSync.Inflate[] = [];

process.on("message", ({ stored, pieceBytes }: ReadRequest) => process.send?.(read(Buffer.from(stored), pieceBytes)));
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.send?.("ready");

/**
 * Hands over the bytes in pieces, without a table of where members end. The binding does not say how much of a piece it
 * took: a piece must not reach into the next member, as pieces of one byte never do.
 */
function read(stored: Buffer, pieceBytes: number): ReadReply {
  const plains: Buffer[] = [];
  let members = 0;
  let inflate: ZlibSync.Inflate | undefined;
  for (let at = 0; at < stored.length; at += pieceBytes) {
    inflate ??= keep(new zlibSync.Inflate(GZIP));
    // The result is taken after every piece. Left to grow inside, it is written past the end of its buffer, which shrinks
    // under it: 300 kB of zeros in pieces of 100 bytes end the process in malloc.
    inflate.push(stored.subarray(at, at + pieceBytes), zlibSync.Z_SYNC_FLUSH);
    plains.push((inflate.result ?? Buffer.alloc(0)) as Buffer);
    if (inflate.err === zlibSync.Z_STREAM_END) {
      members++;
      inflate = undefined;
    } else if (inflate.err !== zlibSync.Z_OK)
      return { plain: Buffer.concat(plains), members, fact: inflate.msg ?? `error ${inflate.err}` };
  }
  const fact = inflate === undefined ? undefined : "the last member does not end";
  return { plain: Buffer.concat(plains), members, fact };
}

function keep(inflate: ZlibSync.Inflate): ZlibSync.Inflate {
  kept.push(inflate);
  return inflate;
}
