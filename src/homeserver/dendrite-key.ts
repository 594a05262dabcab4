import { shellWord } from "./shell.js";

/** Dendrite's key file is PEM with the seed, and the key's name in a header. */
const LABEL = "MATRIX PRIVATE KEY";
const FORM = new RegExp(
  `-----BEGIN ${LABEL}-----\\r?\\nKey-ID: *ed25519:\\w+\\r?\\n\\r?\\n([A-Za-z0-9+/=\\s]+)-----END ${LABEL}-----`,
);
const SEED_BYTES = 32;

export function keyPem(seed: Uint8Array): string {
  return pem(Buffer.from(seed).toString("base64"), "\n");
}

/** What makes such a file of a node's key file, for a shell: that has the same base64, but for the padding. */
export function keyPemCommand(nodeKeyFile: string): string {
  return `printf -- '${pem("%s=", "\\n")}' "$(cut -d' ' -f3 ${shellWord(nodeKeyFile)})"`;
}

function pem(base64: string, eol: string): string {
  return [`-----BEGIN ${LABEL}-----`, "Key-ID: ed25519:pinyon", "", base64, `-----END ${LABEL}-----`, ""].join(eol);
}

/** The seed in a key file; undefined where the text has another form. */
export function pemSeed(text: string): Uint8Array | undefined {
  const encoded = FORM.exec(text)?.[1];
  const bytes = encoded === undefined ? undefined : Buffer.from(encoded, "base64");
  return bytes === undefined || bytes.length < SEED_BYTES ? undefined : new Uint8Array(bytes.subarray(0, SEED_BYTES));
}
