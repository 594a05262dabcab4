import { join } from "node:path";
import { run } from "../install.js";
import { Synapse, type SynapseOptions } from "../synapse.js";

/** A Synapse of the classic federation, with the configuration that it makes itself. `folder` is there and empty; it does not run yet. */
export async function classicSynapse(options: Omit<SynapseOptions, "port">): Promise<Synapse> {
  const { python, folder, name } = options;
  const file = join(folder, "homeserver.yaml");
  const make = ["--generate-config", "--config-path", file, "--data-directory", folder];
  await run(python, ["-m", "synapse.app.homeserver", ...make, "--server-name", name, "--report-stats", "no"]);
  return new Synapse({ ...options, port: 8008 });
}
