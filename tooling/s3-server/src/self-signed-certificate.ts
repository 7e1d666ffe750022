import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface SelfSignedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

const DAY_MS = 24 * 3600 * 1000;
const ECDSA_WITH_SHA256 = sequence(tagged(0x06, Buffer.from("2a8648ce3d040302", "hex")));

/**
 * A certificate for 127.0.0.1, localhost and *.localhost that is its own authority, valid for a day around `now`.
 * Written out here (X.509, RFC 5280) because Node has no call for it and a bare machine need not have openssl.
 */
export function createSelfSignedCertificate(now: number): SelfSignedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const name = sequence(
    tagged(0x31, sequence(tagged(0x06, Buffer.from("550403", "hex")), tagged(0x0c, Buffer.from("soar test server")))),
  );
  const toBeSigned = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    name,
    sequence(utcTime(now - DAY_MS), utcTime(now + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(alternativeNames(), certificateAuthority())),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = sequence(
    toBeSigned,
    ECDSA_WITH_SHA256,
    tagged(0x03, Buffer.concat([Buffer.from([0]), signature])),
  );
  return { certPem: toPem(certificate), keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

function alternativeNames(): Buffer {
  const names = sequence(
    ...["localhost", "*.localhost"].map((host) => tagged(0x82, Buffer.from(host))),
    tagged(0x87, Buffer.from([127, 0, 0, 1])),
  );
  return sequence(tagged(0x06, Buffer.from("551d11", "hex")), tagged(0x04, names));
}

function certificateAuthority(): Buffer {
  const isAuthority = tagged(0x01, Buffer.from([0xff]));
  return sequence(
    tagged(0x06, Buffer.from("551d13", "hex")),
    isAuthority,
    tagged(0x04, sequence(tagged(0x01, Buffer.from([0xff])))),
  );
}

function sequence(...items: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(items));
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function utcTime(milliseconds: number): Buffer {
  return tagged(
    0x17,
    Buffer.from(
      new Date(milliseconds)
        .toISOString()
        .replace(/[-:T]|\.\d+/g, "")
        .slice(2),
    ),
  );
}

/** Tag, length, contents, as DER wants them. */
function tagged(tag: number, contents: Buffer): Buffer {
  const { length } = contents;
  const header =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), contents]);
}

function toPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
