import { Agent } from "node:https";
import type * as acme from "acme-client";
import type { Authorities } from "../classic/tls.js";
import type { Timers } from "../overlay.js";
import { within } from "../within.js";
import type { Challenge, Challenger } from "./challenges.js";
import {
  ACME_ANSWER_BYTES_MAX,
  ACME_POLL_MS,
  ACME_POLLS_MAX,
  ACME_REQUEST_TIMEOUT_MS,
  ACME_TIMEOUT_MS,
} from "./config.js";
import type { CertifiedKey } from "./served-certificate.js";

/** Files that the node keeps. What is written must be readable by its user alone. */
export interface PrivateFiles {
  readonly read: (name: string) => Promise<string | undefined>;
  readonly write: (name: string, text: string) => Promise<void>;
}

/** A certificate authority with ACME (RFC 8555), and this node's account there. */
export interface AcmeRules {
  /** The URL of its directory. */
  readonly directory: string;
  /** Where it may write to; undefined: nowhere. */
  readonly email: string | undefined;
  /** The command that changes the DNS; undefined: there is none. */
  readonly hook: string | undefined;
}

export interface AuthorityOptions extends AcmeRules {
  readonly files: PrivateFiles;
  /** Whom the directory's own certificate is to be by; undefined: those that the platform believes. */
  readonly authorities: Authorities;
  readonly timers: Timers;
}

const ACCOUNT_FILE = "acme-account.key";

/** Gets certificates from an authority. The account is its key: with the same one the authority knows it again. */
export class Authority {
  readonly #options: AuthorityOptions;
  #client: Promise<acme.Client> | undefined;

  constructor(options: AuthorityOptions) {
    this.#options = options;
  }

  /** A certificate for a name, or for all names below `*.` and a domain. Rejects with why there is none. */
  async issue(name: string, challenger: Challenger): Promise<CertifiedKey> {
    try {
      return await within(this.#issue(name, challenger), ACME_TIMEOUT_MS, this.#options.timers);
    } catch (error) {
      // The account may be gone there: the next try makes it known again.
      this.#client = undefined;
      throw error;
    }
  }

  async #issue(name: string, challenger: Challenger): Promise<CertifiedKey> {
    const { crypto } = await load();
    this.#client ??= this.#newClient();
    const client = await this.#client;
    const order = await client.createOrder({ identifiers: [{ type: "dns", value: name }] });
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status !== "valid") await this.#authorize(client, authorization, challenger);
    }
    const key = await crypto.createPrivateEcdsaKey();
    const [, request] = await crypto.createCsr({ altNames: [name] }, key);
    const certificate = await client.getCertificate(await client.finalizeOrder(order, request));
    return { certificate, key: key.toString() };
  }

  async #authorize(client: acme.Client, authorization: acme.Authorization, challenger: Challenger): Promise<void> {
    const challenge = authorization.challenges.find(({ type }) => type === challenger.type);
    if (challenge === undefined) throw new Error(`the authority knows no ${challenger.type}`);
    const { crypto } = await load();
    const value = await client.getChallengeKeyAuthorization(challenge);
    const shown = async () => {
      const key = await crypto.createPrivateEcdsaKey();
      const [, certificate] = await crypto.createAlpnCertificate(authorization, value, key);
      return { certificate: certificate.toString(), key: key.toString() };
    };
    const wanted: Challenge = { name: authorization.identifier.value, value, shown };
    try {
      await challenger.present(wanted);
      await client.completeChallenge(challenge);
      await client.waitForValidStatus(challenge);
    } finally {
      await challenger.cleanUp(wanted);
    }
  }

  async #newClient(): Promise<acme.Client> {
    const { directory, email, files, authorities } = this.#options;
    const { Client, crypto, axios } = await load();
    let accountKey = await files.read(ACCOUNT_FILE);
    if (accountKey === undefined) {
      accountKey = (await crypto.createPrivateEcdsaKey()).toString();
      await files.write(ACCOUNT_FILE, accountKey);
    }
    axios.defaults.timeout = ACME_REQUEST_TIMEOUT_MS;
    axios.defaults.maxContentLength = ACME_ANSWER_BYTES_MAX;
    if (authorities !== undefined) axios.defaults.httpsAgent = new Agent({ ca: [...authorities] });
    const client = new Client({
      directoryUrl: directory,
      accountKey,
      backoffAttempts: ACME_POLLS_MAX,
      backoffMin: ACME_POLL_MS.firstMs,
      backoffMax: ACME_POLL_MS.maxMs,
    });
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] };
    await client.createAccount({ termsOfServiceAgreed: true, ...contact }).catch((error: unknown) => {
      // The library updates an account that is there, and authorities refuse an update that changes nothing.
      if (!hasAccount(client)) throw error;
    });
    return client;
  }
}

function hasAccount(client: acme.Client): boolean {
  try {
    return client.getAccountUrl() !== "";
  } catch {
    return false;
  }
}

/**
 * Loaded where it is used: it takes longer to load than the rest, and most nodes need none of it. Its own retries are left out: they wait for
 * as long as an authority says, and hide why nothing came.
 */
async function load(): Promise<typeof acme> {
  const library = await import("acme-client");
  const { request, response } = library.axios.interceptors;
  request.clear();
  response.clear();
  response.use(undefined, (error: Error & { code?: string }) => {
    throw new Error(`the authority cannot be reached: ${error.message || error.code}`, { cause: error });
  });
  return library;
}
