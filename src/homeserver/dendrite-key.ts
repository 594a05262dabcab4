/** Dendrite's key file is PEM with the seed, and the key's name in a header. */
const LABEL = "MATRIX PRIVATE KEY";
const FORM = new RegExp(
  `-----BEGIN ${LABEL}-----\\r?\\nKey-ID: *ed25519:\\w+\\r?\\n\\r?\\n([A-Za-z0-9+/=\\s]+)-----END ${LABEL}-----`,
);
const SEED_BYTES = 32;

export function keyPem(seed: Uint8Array): string {
  const encoded = Buffer.from(seed).toString("base64");
  return `-----BEGIN ${LABEL}-----\nKey-ID: ed25519:pinyon\n\n${encoded}\n-----END ${LABEL}-----\n`;
}

/** The seed in a key file; undefined where the text has another form. */
export function pemSeed(text: string): Uint8Array | undefined {
  const encoded = FORM.exec(text)?.[1];
  const bytes = encoded === undefined ? undefined : Buffer.from(encoded, "base64");
  return bytes === undefined || bytes.length < SEED_BYTES ? undefined : new Uint8Array(bytes.subarray(0, SEED_BYTES));
}
