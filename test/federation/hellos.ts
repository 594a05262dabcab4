import { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";

/** What a TLS client of the platform begins with. */
export function clientHello(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
        setImmediate(() => secured.destroy());
      },
    });
    const secured = connect({ socket, ...options });
    secured.on("error", () => {});
  });
}
