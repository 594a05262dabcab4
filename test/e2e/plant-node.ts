/** `pinyon run` whose test can have it send a frame of the test's own making, over one of its links. */
import { Overlay } from "../../src/driver/overlay.js";
import type { Link } from "../../src/link/link.js";

/** What a test asks of the process. */
export interface PlantOrder {
  /** Part of what the link's other end is called. */
  readonly remote: string;
  readonly frameBase64: string;
}

const links: Link[] = [];
const { attach } = Overlay.prototype;
Overlay.prototype.attach = function (link, expected) {
  links.push(link);
  attach.call(this, link, expected);
};
process.on("message", ({ remote, frameBase64 }: PlantOrder) => {
  // The newest is the one that is open, where there were several.
  const link = links.findLast((one) => one.remote.includes(remote));
  link?.send(new Uint8Array(Buffer.from(frameBase64, "base64")));
});
process.argv.splice(2, 1, "--state", process.argv[2]!, "run");
await import("../../src/cli/main.js");
