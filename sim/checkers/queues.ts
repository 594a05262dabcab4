import { Kind } from "../../src/wire/kinds.js";
import type { Host } from "../host.js";
import type { Checker, MakeChecker } from "./checker.js";

/** No queue holds more than its bound. */
export const queues: MakeChecker = ({ network, isHonest }, fail): Checker => {
  const check = (host: Host) => {
    const { node } = host;
    if (node === undefined || !isHonest(host)) return;
    const { dataBytesMax, controlBytesMax, probeBytesMax } = node.config.paths;
    for (const port of host.ports.keys()) {
      const queue = node.router.queue(port);
      if (queue === undefined) continue;
      const { dataBytes, controlBytes, probeBytes } = queue;
      if (dataBytes > dataBytesMax || controlBytes > controlBytesMax || probeBytes > probeBytesMax)
        fail(`node ${host.index} queues ${dataBytes}, ${controlBytes} and ${probeBytes} bytes for port ${port}`);
    }
  };
  let taking: Host | undefined;
  return {
    handleDelivery(host, _end, message) {
      if (message[1]! >= Kind.PROBE) taking = host;
    },
    handleSettled(host) {
      if (taking === host) check(host);
      taking = undefined;
    },
    handleSecond() {
      for (const host of network.hosts) check(host);
    },
  };
};
