import type { Host } from "../host.js";
import type { Network } from "../network.js";
import type { Random } from "../random.js";
import type { Adversary } from "./adversary.js";
import { contactDropper, silentDropper, wobbler } from "./droppers.js";
import { flooder, prober, winder } from "./floods.js";
import { childInventor, pathInventor } from "./inventors.js";
import { ballPoisoner, locatorLiar } from "./map-liars.js";
import { reflector, unpadder } from "./reflectors.js";
import { reportForger, wolfCrier } from "./reporters.js";
import { coordinateLiar, forger, replayer } from "./tree-liars.js";

/** By the name that scenarios give them. */
export const ADVERSARIES: Readonly<Record<string, Adversary>> = {
  "silent-dropper": silentDropper,
  "contact-dropper": contactDropper,
  wobbler,
  "coordinate-liar": coordinateLiar,
  forger,
  replayer,
  "child-inventor": childInventor,
  "path-inventor": pathInventor,
  prober,
  flooder,
  winder,
  reflector,
  unpadder,
  "report-forger": reportForger,
  "wolf-crier": wolfCrier,
  "ball-poisoner": ballPoisoner,
  "locator-liar": locatorLiar,
};

/** Those that send on what they should: with one of them among it, all that is honest is to be served as if it were not there. */
export const FORWARDING: readonly string[] = Object.keys(ADVERSARIES).filter(
  (name) => !["silent-dropper", "contact-dropper", "wobbler"].includes(name),
);

/** Makes an adversary of a host. Throws a RangeError where none is called so. */
export function turn(host: Host, name: string, network: Network, random: Random): void {
  const adversary = ADVERSARIES[name];
  if (adversary === undefined) throw new RangeError(`no adversary is called ${name}`);
  host.tamper = (message) => message;
  adversary(host, network, random);
}
