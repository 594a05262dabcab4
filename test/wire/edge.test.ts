import t from "tap";
import { concatBytes, toHex, uint16, uint48 } from "../../src/wire/bytes.js";
import {
  edgeChild,
  edgeChildSignature,
  edgeLinkEpoch,
  edgeParentPort,
  edgeParentSignature,
  edgeTreeEpoch,
  encodeEdge,
} from "../../src/wire/edge.js";
import { EDGE_BYTES, EPOCH_MAX, PORT_MAX } from "../../src/wire/limits.js";

t.test("an edge is its six parts in a row, and each is read back", async (t) => {
  const child = new Uint8Array(32).map((_, i) => i);
  const parentSignature = new Uint8Array(64).fill(0xaa);
  const childSignature = new Uint8Array(64).fill(0xbb);
  for (const [port, linkEpoch, treeEpoch] of [
    [1, 0, 1],
    [PORT_MAX, EPOCH_MAX, EPOCH_MAX - 1],
    [258, 1_700_000_000_000, 1_700_000_000_001],
  ] as const) {
    const edge = encodeEdge(child, port, linkEpoch, treeEpoch, parentSignature, childSignature);
    const parts = [child, uint16(port), uint48(linkEpoch), uint48(treeEpoch), parentSignature, childSignature];
    t.equal(toHex(edge), toHex(concatBytes(...parts)));
    t.equal(edge.length, EDGE_BYTES);
    t.same(edgeChild(edge), child);
    t.equal(edgeParentPort(edge), port);
    t.equal(edgeLinkEpoch(edge), linkEpoch);
    t.equal(edgeTreeEpoch(edge), treeEpoch);
    t.same(edgeParentSignature(edge), parentSignature);
    t.same(edgeChildSignature(edge), childSignature);
  }
});
