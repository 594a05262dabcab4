import type { OutgoingHttpHeaders } from "node:http2";
import { formatXMatrix } from "../../src/federation/x-matrix.js";
import { KEY_ID, type TestServer } from "./server.js";

/** A path that every server answers. */
export const VERSION = "/_matrix/federation/v1/version";

export interface RawAnswer {
  /** Undefined where the exchange broke off before an answer. */
  readonly status: number | undefined;
  /** The stable code of an error. */
  readonly code: string | undefined;
}

/** What an honest node sends for a signed request to `VERSION`, or with other fields in place of its own. */
export function rawHead(from: TestServer, to: TestServer, headers: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  const method = String(headers[":method"] ?? "GET");
  const path = String(headers[":path"] ?? VERSION);
  const signature = from.signer.authorization({ method, path, destination: to.name }, KEY_ID);
  return {
    ":method": method,
    ":path": path,
    ":authority": to.name,
    "x-matrix": formatXMatrix(signature),
    ...headers,
  };
}

/** The node of `from` asks that of `to`, without any of the checks that it would make of its homeserver's request. */
export async function askRaw(
  from: TestServer,
  to: TestServer,
  headers: OutgoingHttpHeaders = {},
  body?: string,
): Promise<RawAnswer> {
  const remote = await from.node.connect(to.node.key);
  const request = remote.request(rawHead(from, to, headers), { endStream: body === undefined });
  if (body !== undefined) request.end(body);
  let text = "";
  request.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  let status: number | undefined;
  request.once("response", (answer) => {
    status = answer[":status"];
  });
  await new Promise((resolve) => request.once("close", resolve));
  return { status, code: status === undefined || status < 400 ? undefined : codeIn(text) };
}

function codeIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { errcode?: string }).errcode;
  } catch {
    return undefined;
  }
}
