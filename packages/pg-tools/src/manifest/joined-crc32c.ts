import { crc32c } from "@node-rs/crc32";

/** CRC-32C of some bytes, to be joined with those of their neighbours; `before` is that of the bytes in front of them. */
export function crc32cOf(bytes: Uint8Array, before = 0): number {
  return crc32c(bytes, before);
}

/**
 * The CRC-32C of the first run's bytes followed by the second's, from the two checksums alone: so that the parts of one file
 * can be read at once, in different threads. Multiplies by x^(8 * length) modulo the polynomial, as `crc32_combine` of zlib.
 */
export function joinCrc32c(first: number, second: number, secondLength: number): number {
  return (multiply(powerOfX(secondLength * 8), first) ^ second) >>> 0;
}

/**
 * The form in which a manifest holds a CRC-32C: the number's bytes as they lie in memory (`pg_checksum_final`), little-endian
 * on every supported machine, in hexadecimal.
 */
export function formatCrc32c(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(crc);
  return bytes.toString("hex");
}

/** Castagnoli's polynomial, bit 31 standing for x^0. */
const POLYNOMIAL = 0x82f63b78;
const ONE = 0x80000000;
const X = 0x40000000;

/** x^(2^k) modulo the polynomial; 2^53 bits are more than any file has. */
const SQUARES: readonly number[] = squaresOf(X, 54);

function powerOfX(exponent: number): number {
  let [power, rest] = [ONE, exponent];
  for (const square of SQUARES) {
    if (rest === 0) break;
    if (rest % 2 === 1) power = multiply(square, power);
    rest = Math.floor(rest / 2);
  }
  return power;
}

function squaresOf(first: number, count: number): number[] {
  const squares: number[] = [];
  for (let square = first; squares.length < count; square = multiply(square, square)) squares.push(square);
  return squares;
}

function multiply(a: number, b: number): number {
  let [product, factor] = [0, b];
  for (let bit = 31; bit >= 0; bit--) {
    if (((a >>> bit) & 1) === 1) product ^= factor;
    factor = (factor & 1) === 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
  }
  return product >>> 0;
}
