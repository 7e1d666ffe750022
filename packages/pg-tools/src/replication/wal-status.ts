/** How far a receiver has got. */
export interface WalPositions {
  readonly written: bigint;
  readonly flushed: bigint;
  readonly applied: bigint;
}

/** PostgreSQL counts microseconds from 2000-01-01 UTC. */
const EPOCH_MS = Date.UTC(2000, 0, 1);

/** A "Standby status update" as a CopyData message (PostgreSQL documentation, "Streaming Replication Protocol"). */
export function statusUpdate({ written, flushed, applied }: WalPositions, now: Date): Buffer {
  const message = Buffer.alloc(5 + 34);
  message.write("d", 0, "latin1");
  message.writeInt32BE(4 + 34, 1);
  message.write("r", 5, "latin1");
  message.writeBigUInt64BE(written, 6);
  message.writeBigUInt64BE(flushed, 14);
  message.writeBigUInt64BE(applied, 22);
  message.writeBigInt64BE(BigInt(now.getTime() - EPOCH_MS) * 1000n, 30);
  // The last byte stays 0: no answer is wanted.
  return message;
}

export function timeOfServer(micros: bigint): Date {
  return new Date(EPOCH_MS + Number(micros / 1000n));
}
