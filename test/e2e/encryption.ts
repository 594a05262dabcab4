import {
  DecryptionSettings,
  DeviceId,
  DeviceLists,
  EncryptionSettings,
  OlmMachine,
  type OutgoingRequest,
  RequestType,
  RoomId,
  ToDeviceRequest,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import type { Json, MatrixClient, MatrixEvent, SyncAnswer } from "./matrix-client.js";

/**
 * End-to-end encryption for a user's device, as Matrix clients do it (Olm and Megolm, by the crate that Element uses). All syncs of the
 * client must go through here: what a sync brings for the device comes once. Keys are held in memory.
 */
export class EncryptedClient {
  /** Encrypted messages of others that lack their key: it travels apart from them and may come later. */
  #sealed: { readonly roomId: string; readonly event: MatrixEvent }[] = [];

  private constructor(
    readonly client: MatrixClient,
    private readonly machine: OlmMachine,
  ) {}

  /** Makes keys for the client's device and uploads them. */
  static async open(client: MatrixClient): Promise<EncryptedClient> {
    const machine = await OlmMachine.initialize(new UserId(client.userId), new DeviceId(client.deviceId));
    const encrypted = new EncryptedClient(client, machine);
    await encrypted.#sendOutgoing();
    return encrypted;
  }

  /** Sends a text that the devices of the room's members can read, and nobody else; gives the event's id. */
  async sendText(roomId: string, text: string): Promise<string> {
    const members = await this.client.joinedMembers(roomId);
    // The machine takes the ids that it is given out of our hands: each call has its own.
    const ids = () => members.map((member) => new UserId(member));
    await this.machine.updateTrackedUsers(ids());
    await this.#sendOutgoing();
    const claim = await this.machine.getMissingSessions(ids());
    if (claim !== null) await this.#send(claim);
    const shares = await this.machine.shareRoomKey(new RoomId(roomId), ids(), new EncryptionSettings());
    for (const share of shares) await this.#send(share);
    const plain = JSON.stringify({ msgtype: "m.text", body: text });
    const sealed = await this.machine.encryptRoomEvent(new RoomId(roomId), "m.room.message", plain);
    return this.client.send(roomId, "m.room.encrypted", JSON.parse(sealed));
  }

  /** Syncs, and takes what came for the device; gives the texts of others that can be read since. */
  async sync(timeoutMs?: number): Promise<string[]> {
    const answer = await this.client.sync(timeoutMs);
    await this.#takeDeviceChanges(answer);
    await this.#sendOutgoing();
    for (const [roomId, { timeline }] of Object.entries(answer.rooms?.join ?? {})) {
      const events = (timeline?.events ?? []).filter(
        ({ type, sender }) => type === "m.room.encrypted" && sender !== this.client.userId,
      );
      this.#sealed.push(...events.map((event) => ({ roomId, event })));
    }
    return this.#openSealed();
  }

  /** Syncs until others have sent so many texts that can be read; throws when they have not for so long. */
  async receive(count: number, withinMs: number): Promise<string[]> {
    const endMs = performance.now() + withinMs;
    const texts: string[] = [];
    while (texts.length < count) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`${this.client.label} could read ${texts.length} of ${count} encrypted texts`);
      texts.push(...(await this.sync(Math.min(5_000, Math.ceil(leftMs)))));
    }
    return texts;
  }

  /** The content of an encrypted event; throws where its key is not here. */
  async decrypt(roomId: string, event: MatrixEvent): Promise<Json> {
    const settings = new DecryptionSettings(TrustRequirement.Untrusted);
    const opened = await this.machine.decryptRoomEvent(JSON.stringify(event), new RoomId(roomId), settings);
    return (JSON.parse(opened.event) as { content: Json }).content;
  }

  async #openSealed(): Promise<string[]> {
    const sealed = this.#sealed;
    this.#sealed = [];
    const texts: string[] = [];
    for (const { roomId, event } of sealed) {
      const content = await this.decrypt(roomId, event).catch(() => undefined);
      if (content === undefined) this.#sealed.push({ roomId, event });
      else texts.push(String(content["body"]));
    }
    return texts;
  }

  async #takeDeviceChanges(answer: SyncAnswer): Promise<void> {
    const { to_device, device_lists, device_one_time_keys_count, device_unused_fallback_key_types } = answer;
    const users = (ids: readonly string[] = []) => ids.map((id) => new UserId(id));
    await this.machine.receiveSyncChanges(
      JSON.stringify(to_device?.events ?? []),
      new DeviceLists(users(device_lists?.changed), users(device_lists?.left)),
      new Map(Object.entries(device_one_time_keys_count ?? {})),
      new Set(device_unused_fallback_key_types),
    );
  }

  /** Sends what the machine wants sent, until that is nothing: an answer may lead to more. */
  async #sendOutgoing(): Promise<void> {
    for (;;) {
      const requests = await this.machine.outgoingRequests();
      if (requests.length === 0) return;
      for (const request of requests) await this.#send(request);
    }
  }

  async #send(request: OutgoingRequest): Promise<void> {
    const body: unknown = JSON.parse(request.body);
    const answer =
      request instanceof ToDeviceRequest
        ? await this.client.put(`/v3/sendToDevice/${encodeURIComponent(request.event_type)}/${request.txn_id}`, body)
        : await this.client.post(pathOf(request.type), body);
    await this.machine.markRequestAsSent(request.id!, request.type, JSON.stringify(answer));
  }
}

function pathOf(type: RequestType): string {
  if (type === RequestType.KeysUpload) return "/v3/keys/upload";
  if (type === RequestType.KeysQuery) return "/v3/keys/query";
  if (type === RequestType.KeysClaim) return "/v3/keys/claim";
  throw new Error(`request of a kind that the tests have no use for: ${RequestType[type]}`);
}
