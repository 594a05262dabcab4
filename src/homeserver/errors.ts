import { type PinyonCode, PinyonError } from "../daemon/errors.js";

/** The codes of what can be wrong with a homeserver's files; stable, as those of daemon/errors.ts. */
export const HomeserverCode = {
  /** A file is not that homeserver's, cannot be read, or cannot be edited without harm. */
  FILE: "PINYON_HOMESERVER_FILE",
  /** The homeserver has neither the node's name nor one of the classic federation. */
  NAME: "PINYON_HOMESERVER_NAME",
  /** The homeserver signs with another key than the node. */
  KEY: "PINYON_HOMESERVER_KEY",
  /** No listener in the homeserver's file can take the federation that the node hands in. */
  LISTENER: "PINYON_HOMESERVER_LISTENER",
  /** Settings of a Synapse with workers that cannot be merged. */
  WORKERS: "PINYON_HOMESERVER_WORKERS",
  /** `connect` where a homeserver is connected. */
  CONNECTED: "PINYON_HOMESERVER_CONNECTED",
  /** `disconnect` or `check` where none is. */
  NOT_CONNECTED: "PINYON_HOMESERVER_NOT_CONNECTED",
  /** A file to restore was edited since `connect`. */
  EDITED: "PINYON_HOMESERVER_EDITED",
  /** The folder of a new homeserver holds something. */
  FOLDER: "PINYON_HOMESERVER_FOLDER",
  /** A step of `check` failed. */
  CHECK: "PINYON_HOMESERVER_CHECK",
} as const;
export type HomeserverCode = (typeof HomeserverCode)[keyof typeof HomeserverCode];

/** What each code means, for the documentation. */
export const ERROR_TEXT: Readonly<Record<HomeserverCode, string>> = {
  [HomeserverCode.FILE]:
    "a file is not the configuration of that homeserver, cannot be read or written, or cannot be edited without harm",
  [HomeserverCode.NAME]: "the homeserver has neither this node's name nor one of the DNS in lower case",
  [HomeserverCode.KEY]: "the homeserver signs with another key than this node's",
  [HomeserverCode.LISTENER]: "the homeserver's file has no plain HTTP listener with the resource `federation`",
  [HomeserverCode.WORKERS]: "settings of a Synapse with workers that cannot be merged with this node's",
  [HomeserverCode.CONNECTED]: "`connect` where a homeserver is connected already",
  [HomeserverCode.NOT_CONNECTED]: "`disconnect` or `check` where no homeserver is connected",
  [HomeserverCode.EDITED]: "`disconnect` found a file that was edited since `connect`, and leaves it",
  [HomeserverCode.FOLDER]: "the folder of a new homeserver is not empty",
  [HomeserverCode.CHECK]: "a step of `check` failed; the text names it",
};

/** An error about a homeserver, for a person. */
export function homeserverError(code: HomeserverCode, message: string, options?: ErrorOptions): PinyonError {
  return new PinyonError(code satisfies PinyonCode, message, options);
}
