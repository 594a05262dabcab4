import { BALL, BALL_REQUEST } from "../../src/wire/ball.js";
import {
  ANNOUNCE,
  ANNOUNCE_REQUEST,
  HEARTBEAT,
  PING,
  PONG,
  REG,
  REG_REFUSED,
  ROOT_LOST,
  ROUTE_BROKEN,
  SEQ_REQUEST,
} from "../../src/wire/control.js";
import { CERT, HELLO, PROOF } from "../../src/wire/hello.js";
import type { Kind } from "../../src/wire/kinds.js";
import type { Field } from "../../src/wire/layout.js";
import { PROBE_REPLY } from "../../src/wire/probe.js";
import type { Refusal } from "../../src/wire/skim.js";

export type Values = Record<string, unknown>;
/** A Layout whatever its fields. */
export interface AnyLayout {
  readonly kind: Kind;
  readonly fields: Readonly<Record<string, Field<unknown>>>;
  encode(values: Values): Uint8Array;
  decode(message: Uint8Array): Values | Refusal;
}

/** Every message that is decoded by a Layout, by the name of its kind. DATA and PROBE are read in place: see fixed.ts. */
export const LAYOUTS: Readonly<Record<string, AnyLayout>> = {
  HELLO,
  PROOF,
  CERT,
  PING,
  PONG,
  HEARTBEAT,
  ANNOUNCE,
  ANNOUNCE_REQUEST,
  SEQ_REQUEST,
  ROOT_LOST,
  REG,
  REG_REFUSED,
  PROBE_REPLY,
  ROUTE_BROKEN,
  BALL_REQUEST,
  BALL,
};

/** The layouts of the hello, which have a smaller size limit. */
export const HELLO_LAYOUTS: readonly AnyLayout[] = [HELLO, PROOF, CERT];
