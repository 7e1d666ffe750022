import { createTestCluster } from "./test-cluster.ts";
import { requireInstallation } from "./installations.ts";

// Runs a cluster, prints its directory, and waits to be killed.
const cluster = await createTestCluster({ installation: requireInstallation() });
process.stdout.write(`${JSON.stringify([cluster.dataDir])}\n`);
setInterval(() => cluster.pid(), 1_000);
