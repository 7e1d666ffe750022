import { parseArguments } from "./parse-arguments.ts";
import { startS3Server } from "./start-s3-server.ts";

// A server in a process of its own: prints one JSON line when it is ready, ends on SIGTERM or SIGINT.
const { server: options, untilStdinEnds } = parseArguments(process.argv.slice(2));
const server = await startS3Server(options);
const { endpoint, port, region, bucket, accessKeyId, secretAccessKey, profile, caPem } = server;
process.stdout.write(
  `${JSON.stringify({ endpoint, port, region, bucket, accessKeyId, secretAccessKey, profile, caPem, pid: process.pid })}\n`,
);

async function stop(): Promise<void> {
  await server.close();
  process.exit(0);
}

process.once("SIGTERM", () => void stop());
process.once("SIGINT", () => void stop());
if (untilStdinEnds) process.stdin.once("end", () => void stop()).resume();
