import { join } from "node:path";
import { SOCKET_NAME } from "@soar/archive/client";

export function socketPath({ spool, socket }: { readonly spool: string; readonly socket: string | undefined }): string {
  return socket ?? join(spool, SOCKET_NAME);
}
