import { equalBytes } from "../../src/wire/bytes.js";
import { dataDestination } from "../../src/wire/data.js";
import { Kind } from "../../src/wire/kinds.js";
import { probeTarget } from "../../src/wire/probe.js";
import { PLAINTEXT_MARK } from "../flow.js";
import type { Checker, MakeChecker } from "./checker.js";

const bufferOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
const MARK = bufferOf(PLAINTEXT_MARK);

/** Of the frames that pass a relay it is told neither what they carry nor who sent them. */
export const secrets: MakeChecker = ({ frames, isHonest }, fail): Checker => ({
  handleDelivery(host, _end, message) {
    const record = frames.current;
    if (record === undefined || !isHonest(record.source)) return;
    const view = bufferOf(message);
    const { key, index } = record.source;
    const isData = message[1] === Kind.DATA;
    if (isData && view.includes(MARK)) fail(`node ${host.index} sees what node ${index} sends`);
    const destination = isData ? dataDestination(message) : probeTarget(message);
    if (equalBytes(destination, host.key) || equalBytes(destination, key)) return;
    if (view.includes(bufferOf(key))) fail(`node ${host.index}, a relay, sees the key of node ${index}, a sender`);
  },
});
