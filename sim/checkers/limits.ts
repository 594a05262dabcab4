import { CLOSE_TEXT, CloseCode } from "../../src/wire/codes.js";
import { type Checker, honestNodes, type MakeChecker } from "./checker.js";

/** Why one honest node may close a link to another. */
const HONEST_CLOSES: readonly CloseCode[] = [
  CloseCode.SHUTDOWN,
  CloseCode.STALE_EPOCH,
  CloseCode.DUPLICATE,
  CloseCode.HELLO_TIMEOUT,
  CloseCode.DEAD,
  CloseCode.BUSY,
  // To one that was stopped, or cut off.
  CloseCode.SLOW,
];

/** Every bound of a node holds, and no honest node finds that another broke a rule. */
export const limits: MakeChecker = (context, fail): Checker => {
  const { network } = context;
  return {
    handleEvent(host, event) {
      if (event.type !== "close" || HONEST_CLOSES.includes(event.code) || !context.isHonest(host)) return;
      const link = network.links.get(event.link);
      const isAmongHonest = link?.ends.every(
        ({ station }) =>
          station === host || network.hosts.some((other) => other === station && context.isHonest(other)),
      );
      if (isAmongHonest === true) fail(`node ${host.index} closed an honest node's link: ${CLOSE_TEXT[event.code]}`);
    },
    handleSecond() {
      const isAllHonest = network.hosts.every((host) => context.isHonest(host));
      for (const { index, node } of honestNodes(context)) {
        const { config } = node!;
        const status = node!.status();
        const { repliesBad, locatorsBad } = status.counters.paths;
        if (isAllHonest && repliesBad + locatorsBad > 0)
          fail(`among honest nodes node ${index} refused ${repliesBad} replies and ${locatorsBad} locators`);
        const within = (what: string, value: number, max: number) => {
          if (value > max) fail(`node ${index} has ${value} ${what}, more than ${max}`);
        };
        within("links", status.links.length, config.linksMax);
        within("links in hello", status.linksInHello, config.hellosMax + config.linksMax);
        within("ports", status.ports, config.portsMax);
        within("requests", status.requests, config.requestsMax);
        within("sessions", status.sessions.length, config.sessions.sessionsMax);
        within("half-open sessions", status.sessionsHalfOpen, config.sessions.halfOpenMax);
      }
    },
  };
};
