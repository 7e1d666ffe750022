// What a caller of the resident archiver needs, and nothing that takes time to load.
export { askArchiver, askStatus, type AskOptions } from "./daemon/ask-archiver.ts";
export { doubtOfDirectory } from "./daemon/socket-trust.ts";
export { SOCKET_NAME, type PushAnswer, type PushRequest } from "./daemon/socket-protocol.ts";
export { findFileIdentity, type FileIdentity } from "./file-identity.ts";
