import { join } from "node:path";
import { BARE_NODE } from "../daemon/bare-node.js";
import { Dendrite } from "./dendrite.js";
import type { HomeserverOptions } from "./homeserver.js";
import { run } from "./install.js";
import type { Json } from "./matrix-client.js";
import { type MeshNode, PINYON } from "./mesh.js";
import { freePorts } from "./place.js";
import { Synapse } from "./synapse.js";

/*
 * New homeservers beside a node that does not run yet, under its name, made as their operators make them; none runs yet.
 */

/** By the Python that `installSynapse` gives. */
export async function synapseBeside(
  node: MeshNode,
  python: string,
  prefix: readonly string[],
  settings: Json | ((port: number) => Json) = {},
  url?: (port: number) => Promise<string>,
): Promise<Synapse> {
  const options = await connectNew(node, "synapse");
  const elsewhere = url === undefined ? {} : { url: await url(options.port) };
  const own = typeof settings === "function" ? settings(options.port) : settings;
  return new Synapse({ python, prefix, settings: own, ...options, ...elsewhere });
}

/** By the program that `installDendrite` gives. */
export async function dendriteBeside(node: MeshNode, program: string, prefix: readonly string[]): Promise<Dendrite> {
  return new Dendrite({ program, prefix, ...(await connectNew(node, "dendrite")) });
}

async function connectNew(node: MeshNode, kind: "synapse" | "dendrite"): Promise<HomeserverOptions> {
  const [port = 0, outboundPort = 0] = await freePorts(2);
  const folder = join(node.folder, kind);
  const connect = ["homeserver", "connect", kind, "--new", folder, "--apply"];
  const where = ["--port", String(port), "--listen", `127.0.0.1:${outboundPort}`];
  const [env, ...bareNode] = BARE_NODE;
  await run(env, [...bareNode, PINYON, "--state", node.folder, ...connect, ...where]);
  return { folder, name: node.name, label: `${kind === "synapse" ? "Synapse" : "Dendrite"} ${node.label}`, port };
}
