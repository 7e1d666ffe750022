/** The memory under `bytes`, when nothing else can live in it; Node's pool of small buffers must not be moved. */
export function memoryOf(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  const ownsIt =
    buffer instanceof ArrayBuffer && (Buffer.poolSize < buffer.byteLength || bytes.byteLength === buffer.byteLength);
  return ownsIt ? [buffer] : [];
}

/**
 * Gives memory back at once. The collector of a thread sees small objects only and would let some 80 MB of buffers
 * gather behind them before it runs.
 */
export function free(bytes: Uint8Array): void {
  for (const memory of memoryOf(bytes)) if (!memory.detached) memory.transfer(0);
}
