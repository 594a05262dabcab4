/** Synapse answers most calls within milliseconds; a join or an invite over federation may wait for another server. */
const CALL_MS = 60_000;
/** How long one `/sync` may wait for something new. */
const SYNC_MS = 10_000;
const MESSAGES_PAGE = 100;

export type Json = Record<string, unknown>;

export interface MatrixEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly origin_server_ts: number;
  readonly state_key?: string;
  readonly content: Json;
  readonly unsigned?: Json;
}

interface SyncedRoom {
  readonly timeline?: {
    readonly events: readonly MatrixEvent[];
    readonly limited?: boolean;
    readonly prev_batch?: string;
  };
  readonly state?: { readonly events: readonly MatrixEvent[] };
  readonly ephemeral?: { readonly events: readonly { readonly type: string; readonly content: Json }[] };
}

export interface SyncAnswer {
  readonly next_batch: string;
  readonly rooms?: {
    readonly join?: Readonly<Record<string, SyncedRoom>>;
    readonly invite?: Readonly<Record<string, { readonly invite_state: { readonly events: readonly MatrixEvent[] } }>>;
    readonly knock?: Readonly<Record<string, unknown>>;
    readonly leave?: Readonly<Record<string, SyncedRoom>>;
  };
  readonly presence?: { readonly events: readonly { readonly sender: string; readonly content: Json }[] };
  readonly to_device?: {
    readonly events: readonly { readonly sender: string; readonly type: string; readonly content: Json }[];
  };
  readonly device_lists?: { readonly changed?: readonly string[]; readonly left?: readonly string[] };
  readonly device_one_time_keys_count?: Readonly<Record<string, number>>;
  readonly device_unused_fallback_key_types?: readonly string[];
}

/** A call that the homeserver refused, or that brought no answer. */
export class MatrixError extends Error {
  constructor(
    /** Method and path. */
    readonly call: string,
    /** Of HTTP; 0 where there was no answer. */
    readonly status: number,
    readonly errcode: string,
    text: string,
  ) {
    super(`${call}: ${status === 0 ? "" : `${status} `}${errcode}: ${text}`);
  }
}

interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  readonly timeoutMs?: number;
}

interface ClientOptions {
  /** Of the homeserver. */
  readonly url: string;
  /** Who it is, in errors. */
  readonly label: string;
}

interface Login {
  readonly user_id: string;
  readonly access_token: string;
  readonly device_id: string;
}

/** A user's client: the client-server API of Matrix, as far as the tests need it. Every call ends within its time, or throws a `MatrixError`. */
export class MatrixClient {
  readonly url: string;
  readonly label: string;
  userId = "";
  deviceId = "";
  accessToken = "";
  /** Where the next `sync` goes on; undefined before the first. */
  since: string | undefined;
  #transactions = 0;

  constructor({ url, label }: ClientOptions) {
    this.url = url;
    this.label = label;
  }

  /** The client of somebody who has just logged in or registered by this one. */
  loggedIn({ user_id, access_token, device_id }: Login): MatrixClient {
    const client = new MatrixClient({ url: this.url, label: user_id.slice(1, user_id.indexOf(":")) });
    client.userId = user_id;
    client.accessToken = access_token;
    client.deviceId = device_id;
    return client;
  }

  async login(user: string, password: string): Promise<MatrixClient> {
    const body = { type: "m.login.password", identifier: { type: "m.id.user", user }, password };
    return this.loggedIn(await this.post("/v3/login", body));
  }

  // Calls

  async request<T = Json>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const { body } = options;
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await this.#fetch(method, path, options, init);
    return (await this.#whole(`${method} ${path}`, () => response.json())) as T;
  }

  get<T = Json>(path: string, query: CallOptions["query"] = {}): Promise<T> {
    return this.request("GET", `/_matrix/client${path}`, { query });
  }

  post<T = Json>(path: string, body: unknown, query: CallOptions["query"] = {}): Promise<T> {
    return this.request("POST", `/_matrix/client${path}`, { body, query });
  }

  put<T = Json>(path: string, body: unknown): Promise<T> {
    return this.request("PUT", `/_matrix/client${path}`, { body });
  }

  // Rooms

  async createRoom(options: Json = {}): Promise<string> {
    return (await this.post<{ room_id: string }>("/v3/createRoom", options)).room_id;
  }

  /** By alias, or by id with the servers to ask: the id of a room of version 12 names none. */
  async join(room: string, via: readonly string[] = []): Promise<string> {
    return (await this.post<{ room_id: string }>(`/v3/join/${encodeURIComponent(room)}`, {}, { server_name: via, via }))
      .room_id;
  }

  async knock(room: string, via: readonly string[] = []): Promise<string> {
    return (
      await this.post<{ room_id: string }>(`/v3/knock/${encodeURIComponent(room)}`, {}, { server_name: via, via })
    ).room_id;
  }

  async invite(roomId: string, userId: string): Promise<void> {
    await this.post(`${room(roomId)}/invite`, { user_id: userId });
  }

  /** Leaves a room, or rejects an invitation to it. */
  async leave(roomId: string): Promise<void> {
    await this.post(`${room(roomId)}/leave`, {});
  }

  /** Sends an event; gives its id. */
  async send(roomId: string, type: string, content: Json): Promise<string> {
    const path = `${room(roomId)}/send/${encodeURIComponent(type)}/${this.#transactionId()}`;
    return (await this.put<{ event_id: string }>(path, content)).event_id;
  }

  /** Sends a message of text; gives the event's id. */
  sendText(roomId: string, text: string): Promise<string> {
    return this.send(roomId, "m.room.message", { msgtype: "m.text", body: text });
  }

  async setState(roomId: string, type: string, content: Json, stateKey = ""): Promise<string> {
    const path = `${room(roomId)}/state/${encodeURIComponent(type)}/${encodeURIComponent(stateKey)}`;
    return (await this.put<{ event_id: string }>(path, content)).event_id;
  }

  /** All current state of a room. */
  state(roomId: string): Promise<MatrixEvent[]> {
    return this.get(`${room(roomId)}/state`);
  }

  /** Content of one event of state. */
  stateOf(roomId: string, type: string, stateKey = ""): Promise<Json> {
    return this.get(`${room(roomId)}/state/${encodeURIComponent(type)}/${encodeURIComponent(stateKey)}`);
  }

  async joinedMembers(roomId: string): Promise<string[]> {
    return Object.keys((await this.get<{ joined: Json }>(`${room(roomId)}/joined_members`)).joined);
  }

  /**
   * All messages of a room, oldest first, from `/messages`: this, not `/sync`, is what the homeserver has. Asks the other servers of the
   * room for what it lacks.
   */
  async messages(roomId: string): Promise<MatrixEvent[]> {
    const events: MatrixEvent[] = [];
    let from: string | undefined;
    do {
      const query = { dir: "b", limit: MESSAGES_PAGE, from };
      const page = await this.get<{ chunk: MatrixEvent[]; end?: string }>(`${room(roomId)}/messages`, query);
      events.push(...page.chunk);
      from = page.end;
    } while (from !== undefined);
    return events.reverse();
  }

  /** The texts of a room's messages that somebody sent, oldest first. */
  async texts(roomId: string, sender?: string): Promise<string[]> {
    const messages = (await this.messages(roomId)).filter(({ type }) => type === "m.room.message");
    return messages
      .filter((event) => sender === undefined || event.sender === sender)
      .map(({ content }) => String(content["body"]));
  }

  async typing(roomId: string, isTyping: boolean, timeoutMs = 30_000): Promise<void> {
    await this.put(`${room(roomId)}/typing/${encodeURIComponent(this.userId)}`, {
      typing: isTyping,
      timeout: timeoutMs,
    });
  }

  /** Says that everything up to this event is read. */
  async receipt(roomId: string, eventId: string): Promise<void> {
    await this.post(`${room(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
  }

  async setPresence(presence: "online" | "unavailable" | "offline", statusText: string): Promise<void> {
    await this.put(`/v3/presence/${encodeURIComponent(this.userId)}/status`, { presence, status_msg: statusText });
  }

  // Directories

  profile(userId: string): Promise<{ displayname?: string; avatar_url?: string }> {
    return this.get(`/v3/profile/${encodeURIComponent(userId)}`);
  }

  async setDisplayName(displayname: string): Promise<void> {
    await this.put(`/v3/profile/${encodeURIComponent(this.userId)}/displayname`, { displayname });
  }

  /** The rooms that a server publishes, searched for a term. */
  async publicRooms(server: string, term: string): Promise<{ room_id: string; name?: string }[]> {
    const body = { filter: { generic_search_term: term } };
    return (await this.post<{ chunk: { room_id: string }[] }>("/v3/publicRooms", body, { server })).chunk;
  }

  /** A space and what is in it. */
  async hierarchy(roomId: string): Promise<{ room_id: string; name?: string; room_type?: string }[]> {
    return (await this.get<{ rooms: { room_id: string }[] }>(`/v1/rooms/${encodeURIComponent(roomId)}/hierarchy`))
      .rooms;
  }

  // Devices

  keysUpload(body: Json): Promise<{ one_time_key_counts: Record<string, number> }> {
    return this.post("/v3/keys/upload", body);
  }

  keysQuery(
    deviceKeys: Readonly<Record<string, readonly string[]>>,
  ): Promise<Json & { device_keys: Record<string, Record<string, Json>> }> {
    return this.post("/v3/keys/query", { device_keys: deviceKeys });
  }

  keysClaim(oneTimeKeys: Json): Promise<Json & { one_time_keys: Record<string, Record<string, Json>> }> {
    return this.post("/v3/keys/claim", { one_time_keys: oneTimeKeys });
  }

  /** `messages` by user and device. */
  async sendToDevice(type: string, messages: Readonly<Record<string, Readonly<Record<string, Json>>>>): Promise<void> {
    await this.put(`/v3/sendToDevice/${encodeURIComponent(type)}/${this.#transactionId()}`, { messages });
  }

  // Media

  /** Uploads a file; gives its `mxc:` URI. A stream needs its size said. */
  async upload(
    body: Uint8Array | ReadableStream<Uint8Array>,
    {
      type = "application/octet-stream",
      sizeBytes,
      timeoutMs = CALL_MS,
    }: { type?: string; sizeBytes?: number; timeoutMs?: number } = {},
  ): Promise<string> {
    const path = "/_matrix/media/v3/upload";
    const length = sizeBytes === undefined ? {} : { "content-length": String(sizeBytes) };
    const init = { body, headers: { "content-type": type, ...length }, duplex: "half" } as RequestInit;
    const response = await this.#fetch("POST", path, { timeoutMs }, init);
    return ((await this.#whole(`POST ${path}`, () => response.json())) as { content_uri: string }).content_uri;
  }

  /** A file of this or another homeserver, as it comes; `timeoutMs` bounds all of it. */
  async *download(mxc: string, timeoutMs = CALL_MS): AsyncGenerator<Uint8Array, void> {
    const path = `/_matrix/client/v1/media/download/${mxc.replace("mxc://", "")}`;
    const response = await this.#fetch("GET", path, { timeoutMs, query: { timeout_ms: timeoutMs } }, {});
    const body = response.body as AsyncIterable<Uint8Array> | null;
    try {
      if (body !== null) yield* body;
    } catch (error) {
      throw broken(`GET ${path}`, error);
    }
  }

  // What is new

  /** What is new since the call before; waits for something up to `timeoutMs`. The first call gives what there is. */
  async sync(timeoutMs = SYNC_MS): Promise<SyncAnswer> {
    const query = { since: this.since, timeout: this.since === undefined ? 0 : timeoutMs };
    const path = "/_matrix/client/v3/sync";
    const answer = await this.request<SyncAnswer>("GET", path, { query, timeoutMs: timeoutMs + CALL_MS });
    this.since = answer.next_batch;
    return answer;
  }

  /** Syncs until `find` finds something in an answer; throws when it did not for so long. */
  async until<T>(what: string, withinMs: number, find: (answer: SyncAnswer) => T | undefined): Promise<T> {
    const endMs = performance.now() + withinMs;
    for (;;) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`${this.label} did not see ${what} within ${withinMs / 1_000} s`);
      const found = find(await this.sync(Math.min(SYNC_MS, Math.ceil(leftMs))));
      if (found !== undefined) return found;
    }
  }

  #transactionId(): string {
    return `${Date.now()}.${this.#transactions++}`;
  }

  async #fetch(
    method: string,
    path: string,
    { query = {}, timeoutMs = CALL_MS }: CallOptions,
    init: RequestInit,
  ): Promise<Response> {
    const call = `${method} ${path}`;
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value])
        if (one !== undefined) url.searchParams.append(name, String(one));
    }
    const authorization = this.accessToken === "" ? {} : { authorization: `Bearer ${this.accessToken}` };
    const headers = { ...authorization, ...(init.headers as Record<string, string>) };
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await this.#whole(call, () => fetch(url, { ...init, method, headers, signal }));
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    const { errcode = "no errcode", error = text } = parse(text);
    throw new MatrixError(call, response.status, errcode, error);
  }

  /** What a step of a call gives; where it breaks off, an error that says which call it was. */
  async #whole<T>(call: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw broken(call, error);
    }
  }
}

function broken(call: string, error: unknown): MatrixError {
  const { name, message, cause } = error as Error;
  const isLate = name === "TimeoutError";
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return new MatrixError(call, 0, isLate ? "late" : "broken off", reason);
}

function parse(text: string): { errcode?: string; error?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function room(roomId: string): string {
  return `/v3/rooms/${encodeURIComponent(roomId)}`;
}
