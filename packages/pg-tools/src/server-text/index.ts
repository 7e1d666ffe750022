// Text of a server, which may be in no encoding that is known.

export { decodeServerText, encodeServerText, isUnicode } from "./server-text.ts";
