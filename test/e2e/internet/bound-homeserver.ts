import { pinyon } from "../../cli/pinyon.js";
import type { Homeserver } from "../homeserver.js";
import type { MeshNode } from "../mesh.js";
import { freePorts } from "../place.js";
import { must } from "../steps/step.js";
import { type ClassicSynapse, makeSynapse } from "./classic-side.js";
import type { SmallInternet } from "./small-internet.js";

/** A classic homeserver that gets a node of its own, and stays what it is to all others. */
const PLACE = { label: "Synapse D", name: "middle.example", host: "matrix.middle.example", number: "1.3" };

export function makeBoundHomeserver(internet: SmallInternet, python: string): Promise<ClassicSynapse> {
  return makeSynapse(internet, python, PLACE);
}

/** Connects it with its node and binds its name, as docs/homeservers.md has it, and starts both. */
export async function bindHomeserver(
  { tell }: SmallInternet,
  { synapse, wellKnown }: ClassicSynapse,
  node: MeshNode,
): Promise<Homeserver> {
  tell("connecting another Synapse of the classic federation with a node of its own");
  const [port] = await freePorts(1);
  const config = ["--config", `${synapse.folder}/homeserver.yaml`];
  await run(node, "homeserver", "connect", "synapse", ...config, "--listen", `127.0.0.1:${port}`, "--apply");
  node.start();
  await node.ready();
  await synapse.start();
  await run(node, "binding", "show", "--into", wellKnown);
  await run(node, "homeserver", "check", "synapse");
  return synapse;
}

/** What a node says of the names that it knows to be bound to others. */
export function bindings(node: MeshNode): Promise<string> {
  return run(node, "binding", "ls");
}

async function run({ folder, label }: MeshNode, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await pinyon("--state", folder, ...args);
  must(code === 0, `${label}: pinyon ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}
