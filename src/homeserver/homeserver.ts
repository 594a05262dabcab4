import type { Endpoint } from "../daemon/endpoint.js";
import type { ConfigFile } from "./config-file.js";
import type { Kind } from "./kind.js";
import type { OwnNode } from "./own-node.js";
import type { Setting, YamlMapping } from "./yaml-edit.js";

/** Where a homeserver and a node meet. */
export interface Join {
  /** The homeserver's own name, one of the classic federation; undefined where it has the node's. */
  readonly name: string | undefined;
  /** The homeserver's plain HTTP listener. */
  readonly url: Endpoint;
  /** Where the daemon takes what the homeserver sends to others. */
  readonly listen: Endpoint;
  /** What the homeserver shows there. */
  readonly secret: string;
}

/** What a configuration that is there says of the join; undefined: it is for us to choose. */
export interface Found {
  readonly name: string | undefined;
  readonly url: Endpoint | undefined;
  readonly listen: Endpoint | undefined;
  readonly secret: string | undefined;
  /** What a person must do beside that, in sentences. */
  readonly notes: readonly string[];
}

/** What a new configuration is made of. */
export interface NewOptions {
  /** Where all its files are, absolute. */
  readonly folder: string;
  /** Of its listener on 127.0.0.1. */
  readonly port: number;
  readonly node: OwnNode;
  /** Gives a new secret. */
  readonly secret: () => string;
}

/** A new configuration, without the settings of the join. */
export interface NewFiles {
  readonly config: string;
  /** The files beside it, by their names. */
  readonly others: ReadonlyMap<string, string>;
  /** What no output shows, beside what a key of the configuration names as a secret. */
  readonly secrets: readonly string[];
}

/** What has to be known of one kind of homeserver. */
export interface Homeserver {
  readonly kind: Kind;
  /** How its configuration file is called. */
  readonly configName: string;
  /** The folder beside that, if any, whose `*.yaml` are read after it. */
  readonly laterFolder: string | undefined;
  /** It can reach the node on a Unix socket. */
  readonly takesSocket: boolean;
  /** It asks again within seconds after an error, once its settings are made; not under a name of its own, where it keeps its pace. */
  readonly fastRetries: boolean;
  /** Throws a `PinyonError` where a configuration is not this homeserver's, or cannot be joined with the node. */
  examine(file: ConfigFile, node: OwnNode): Promise<Found>;
  /** What joins a homeserver of these values with a node. */
  settings(join: Join, values: YamlMapping): Setting[];
  /** The files that it needs beside its configuration for that, by their names. */
  companions(join: Join, node: OwnNode): ReadonlyMap<string, string>;
  /** A complete minimal configuration. */
  make(options: NewOptions): NewFiles;
  /** What to do for a configuration that is there to take effect, in a sentence; paths as a shell takes them. */
  restart(config: string): string;
  /** What to type to start a new one, and to add a first user. */
  commands(folder: string, config: string, url: string): string[];
}
