import { idOf } from "../router/entry.js";
import { chooseByKey, chooseByTree, type KeyChoice, type Nearness, type TreeChoice } from "../router/explain.js";
import { equalBytes } from "../wire/bytes.js";
import { decodePlace, locatorPlace } from "../wire/locator.js";
import { keyToName } from "../wire/name.js";
import type { TraceResult } from "./control-protocol.js";
import type { Daemon } from "./daemon.js";
import { type DestinationDump, dumpDestination, nameAt } from "./dumps.js";
import { messageOf } from "./errors.js";
import { SHOWN_CHOICES_MAX } from "./limits.js";
import { roundMs } from "./status.js";

/** A choice with the neighbour's name beside its port. */
type Named<T> = T & { readonly name: string | null };

/** What a node knew of the way to another, what it would do without, and what came of asking. All of it is its own knowledge. */
export interface ExplainResult {
  readonly name: string;
  readonly isSelf: boolean;
  /** The port, where it is a neighbour. */
  readonly neighbourPort: number | null;
  /** What was known before anything was asked; null where nothing was. */
  readonly before: DestinationDump | null;
  /** Where a search would begin from here: by the locator, null where none was known, and by key in each tree. */
  readonly byLocator: {
    readonly own: Nearness | null;
    /** The nearest, at most eight. */
    readonly neighbours: readonly Named<TreeChoice["neighbours"][number]>[];
    /** Null where no tree can be compared; 0 where no neighbour is nearer. */
    readonly port: number | null;
  } | null;
  readonly byKey: readonly Named<KeyChoice>[];
  /** What is known now. */
  readonly after: DestinationDump | null;
  /** The shortest way that the map has; null where it has none. */
  readonly shortest: { readonly delayMs: number; readonly hops: number } | null;
  /** Null where the node did not answer. */
  readonly trace: TraceResult | null;
  readonly failure: string | null;
}

/** Explains the way to `key`; `trace` asks for it. */
export async function explain(
  daemon: Daemon,
  key: Uint8Array,
  trace: () => Promise<TraceResult>,
): Promise<ExplainResult> {
  const { node } = daemon.overlay;
  const { view } = node.router;
  const known = {
    neighbourPort: view.peerByKey(key)?.port ?? null,
    before: destinationOf(daemon, key),
    byLocator: choiceByLocator(daemon, key),
    byKey: chooseByKey(view, key).map((choice) => ({ ...choice, name: nameAt(daemon, choice.port) })),
  };
  let failure: string | null = null;
  const traced = await trace().catch((error: unknown) => {
    failure = messageOf(error);
    return null;
  });
  return {
    name: keyToName(key),
    isSelf: equalBytes(key, node.key),
    ...known,
    after: destinationOf(daemon, key),
    shortest: shortestTo(daemon, key),
    trace: traced,
    failure,
  };
}

function destinationOf({ overlay, clock }: Daemon, key: Uint8Array): DestinationDump | null {
  const destination = overlay.node.router.paths.about(key);
  return destination === undefined ? null : dumpDestination(destination, clock.nowMs());
}

function choiceByLocator(daemon: Daemon, key: Uint8Array): ExplainResult["byLocator"] {
  const { view, paths } = daemon.overlay.node.router;
  const locator = paths.locator(key);
  const place = locator === undefined ? undefined : decodePlace(locatorPlace(locator.bytes));
  if (place === undefined) return null;
  const { own, neighbours, port } = chooseByTree(view, key, place);
  const named = neighbours.map((choice) => ({ ...choice, name: nameAt(daemon, choice.port) }));
  return { own: own ?? null, neighbours: named.slice(0, SHOWN_CHOICES_MAX), port: port ?? null };
}

function shortestTo({ overlay, clock }: Daemon, key: Uint8Array): ExplainResult["shortest"] {
  const nowMs = clock.nowMs();
  const [route] = overlay.node.router.paths.balls.map.routes(idOf(key), 1, nowMs);
  return route === undefined ? null : { delayMs: roundMs(route.delayMs), hops: route.ports.length };
}
