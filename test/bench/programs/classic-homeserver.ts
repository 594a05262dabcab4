/** A classic homeserver of a few lines: answers each transaction. Its arguments are its certificate and key, files, and where it listens. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { serve } from "./serve.js";

const [certificate = "", key = "", host = "", port = ""] = process.argv.slice(2);

const files = { cert: readFileSync(certificate), key: readFileSync(key) };
const server = createServer({ ...files, keepAliveTimeout: 60_000 }, (incoming, response) => {
  incoming.resume().once("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 11 }).end('{"pdus":{}}');
  });
});
server.listen(Number(port), host);
await once(server, "listening");
serve({});
