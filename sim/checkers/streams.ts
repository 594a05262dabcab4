import type { Checker, MakeChecker } from "./checker.js";

/** The bytes of a session arrive in order, once and unaltered, and it ends only with its ends. */
export const streams: MakeChecker = ({ traffic }, fail): Checker => {
  const check = () => {
    for (const {
      from,
      to,
      isCorrupt,
      isDone,
      isBroken,
      isEstablished,
      receivedBytes,
      sizeBytes,
      reason,
    } of traffic.flows) {
      const flow = `node ${from} to ${to}`;
      if (isCorrupt) fail(`${flow}: what arrived is not what was sent, after ${receivedBytes} bytes`);
      if (isBroken && isEstablished)
        fail(`${flow}: the session ended after ${receivedBytes} of ${sizeBytes} bytes: ${reason}`);
      if (isDone && receivedBytes !== sizeBytes) fail(`${flow}: ${receivedBytes} bytes arrived of ${sizeBytes}`);
    }
  };
  return { handleSecond: check, handleHealed: check };
};
