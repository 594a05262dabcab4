import { SignTag, signedMessage } from "../../src/crypto/sign.js";
import { utf8 } from "../../src/wire/bytes.js";
import { NETWORK_ID } from "../network-id.js";
import type { Checker, MakeChecker } from "./checker.js";

/** Whatever locator a node keeps, whoever handed it on, is signed by the key that it is of. */
export const locators: MakeChecker = ({ network, isHonest }, fail): Checker => ({
  handleEvent(host, event) {
    if (event.type !== "locator" || !isHonest(host)) return;
    const { key, bytes, signature } = event.locator;
    const message = signedMessage(SignTag.LOCATOR, utf8(NETWORK_ID), bytes);
    if (!network.verdicts.verify(message, signature, key))
      fail(`node ${host.index} keeps a locator that its key did not sign`);
  },
});
