import { installDendrite, whyNoDendrite } from "../dendrite-install.js";
import type { Tell } from "../install.js";
import type { Owner } from "../mesh.js";
import { whyNoNamespaces } from "../place.js";
import { installSynapse, whyNoSynapse } from "../synapse-install.js";
import { bindHomeserver, makeBoundHomeserver } from "./bound-homeserver.js";
import { startClassicSide } from "./classic-side.js";
import { whyNoDebianPrograms } from "./debian-programs.js";
import { MixedStage } from "./mixed-stage.js";
import { startOverlaySide } from "./overlay-side.js";
import { SmallInternet } from "./small-internet.js";

/** Why the stage cannot be opened here, in a sentence; undefined where it can. */
export function whyNoMixedStage(): string | undefined {
  return whyNoNamespaces() ?? whyNoSynapse() ?? whyNoDendrite() ?? whyNoDebianPrograms();
}

/**
 * A small Internet with its own DNS and certificate authority, a Synapse and a Dendrite of the classic federation, another Synapse with
 * a node of its own, and two gateways; behind those, in a network without a way out, two nodes with a Synapse each. All ends with its owner.
 */
export async function openMixedStage(owner: Owner, tell: Tell): Promise<MixedStage> {
  const programs = { python: await installSynapse(tell), dendrite: await installDendrite(tell) };
  const internet = await SmallInternet.open(owner, tell);
  const classic = await startClassicSide(internet, programs);
  const existing = await makeBoundHomeserver(internet, programs.python);
  const overlay = await startOverlaySide(internet, programs.python, existing.machine);
  const bound = await bindHomeserver(internet, existing, overlay.besideClassic);
  return new MixedStage(internet, overlay, classic, bound);
}
