import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readKey } from "../../src/daemon/key-file.js";
import { configPath } from "../../src/daemon/state-folder.js";
import { Signer, unpaddedBase64 } from "../../src/federation/signing.js";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { nameToKey } from "../../src/wire/name.js";
import type { MeshNode, Owner } from "./mesh.js";
import { freePorts } from "./place.js";

const KEY_ID = "ed25519:pinyon";
const KEY_VALID_MS = 86_400_000;

export interface HandMadeRequest {
  readonly method: string;
  readonly to: string;
  readonly path: string;
  /** Sent as it comes. */
  readonly body?: Readable;
}

/** What was answered; the body is still to come. */
export interface HandMadeAnswer {
  readonly status: number;
  readonly body: IncomingMessage;
}

/**
 * A homeserver of a few lines, beside a node: it has keys, signs what it sends as Synapse does, and answers, well or badly, as a test says.
 */
export class HandMade {
  /** Answers all but the request for its keys. */
  answer: RequestListener = (_request, response) => response.end("{}");
  readonly name: string;
  readonly server: Server;

  private constructor(
    private readonly signer: Signer,
    private readonly port: number,
    private readonly outbound: { readonly port: number; readonly secret: string },
  ) {
    this.name = signer.name;
    this.server = createServer((request, response) => {
      if (request.url?.startsWith("/_matrix/key/v2/server")) response.end(JSON.stringify(this.#keys()));
      else this.answer(request, response);
    });
    // Half of what is asked of it here breaks off.
    this.server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** One beside a node that does not run yet, and listens; it ends with the test. */
  static async beside(t: Owner, node: MeshNode): Promise<HandMade> {
    const [port = 0, outboundPort = 0] = await freePorts(2);
    const outbound = { port: outboundPort, secret: randomBytes(16).toString("hex") };
    const file = configPath(node.folder);
    const config = JSON.parse(readFileSync(file, "utf8"));
    const listen = `127.0.0.1:${outboundPort}`;
    const homeserver = { url: `http://127.0.0.1:${port}`, listen, secret: outbound.secret, fastRetries: true };
    writeFileSync(file, JSON.stringify({ ...config, homeserver }), { mode: 0o600 });
    const signer = new Signer((await readKey(node.folder))!, node.name);
    const made = new HandMade(signer, port, outbound);
    await made.listen();
    t.teardown(() => made.stop());
    return made;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, "127.0.0.1", resolve));
  }

  /** As if its process had ended. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  /** Sends a request, and waits for the head of the answer. Rejects where it breaks off before; `signal` breaks it off. */
  async ask({ method, to, path, body }: HandMadeRequest, signal?: AbortSignal): Promise<HandMadeAnswer> {
    const { port, secret } = this.outbound;
    const authorization = formatXMatrix(this.signer.authorization({ method, path, destination: to }, KEY_ID));
    const headers = { authorization, "proxy-authorization": `Bearer ${secret}`, host: `${to}:80`, connection: "close" };
    const uri = `matrix-federation://${to}${path}`;
    const asked = request({ host: "127.0.0.1", port, method, path: uri, headers, ...(signal && { signal }) });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.once("response", resolve).on("error", reject);
    });
    // Where the body breaks off, so does the request. An answer may come before all is sent; the rest then matters to nobody.
    if (body === undefined) asked.end();
    else pipeline(body, asked).catch(() => {});
    const response = await answered;
    return { status: response.statusCode!, body: response };
  }

  #keys(): unknown {
    const keys = {
      server_name: this.name,
      valid_until_ts: Date.now() + KEY_VALID_MS,
      verify_keys: { [KEY_ID]: { key: unpaddedBase64(nameToKey(this.name)!) } },
      old_verify_keys: {},
    };
    return this.signer.signJson(keys, KEY_ID);
  }
}
