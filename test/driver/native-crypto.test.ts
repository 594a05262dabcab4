import { execFileSync } from "node:child_process";
import t from "tap";
import { portableCrypto } from "../../src/crypto/portable.js";
import { chooseCrypto } from "../../src/driver/choose-crypto.js";
import { nativeCrypto } from "../../src/driver/native-crypto.js";

const chooser = new URL("../../src/driver/choose-crypto.js", import.meta.url).href;

t.test("the native set is taken where nothing is said, and where it is asked for", async (t) => {
  for (const env of [{}, { PINYON_CRYPTO: "" }, { PINYON_CRYPTO: "native" }]) {
    const { crypto, fallbackReason } = chooseCrypto(env);
    t.equal(crypto.name, "native");
    t.equal(fallbackReason, undefined);
  }
});

t.test("the portable set is taken where it is asked for", async (t) => {
  t.same(chooseCrypto({ PINYON_CRYPTO: "portable" }), { crypto: portableCrypto });
});

t.test("an unknown set is refused with the choices", async (t) => {
  t.throws(() => chooseCrypto({ PINYON_CRYPTO: "openssl" }), {
    code: "PINYON_CRYPTO_UNKNOWN",
    message: 'PINYON_CRYPTO is "openssl", expected "native", "portable" or nothing',
  });
});

t.test("where the binary cannot be loaded the portable set is taken, with a reason", async (t) => {
  const { name, fallbackReason } = inNodeWithoutAddons(`
    const { crypto, fallbackReason } = chooseCrypto({});
    print({ name: crypto.name, fallbackReason });
  `);
  t.equal(name, "portable");
  t.match(fallbackReason, /sodium-native.*disabled/);
});

t.test("where the binary cannot be loaded but is asked for by name, it is an error with its cause", async (t) => {
  const { code, message } = inNodeWithoutAddons(`
    try { chooseCrypto({ PINYON_CRYPTO: "native" }); } catch ({ code, message }) { print({ code, message }); }
  `);
  t.equal(code, "PINYON_CRYPTO_UNAVAILABLE");
  t.match(message, /^PINYON_CRYPTO is "native", but sodium-native cannot be loaded: .*disabled/);
});

t.test("the native set works on bytes anywhere in a larger buffer", async (t) => {
  const crypto = nativeCrypto();
  const arena = new Uint8Array(400);
  const at = (offset: number, bytes: Uint8Array): Uint8Array => {
    arena.set(bytes, offset);
    return arena.subarray(offset, offset + bytes.length);
  };
  const identity = crypto.identityFromSeed(at(3, new Uint8Array(32).fill(5)));
  const message = at(41, new TextEncoder().encode("message"));
  const signature = at(101, crypto.sign(message, identity));
  t.ok(crypto.verify(message, signature, at(203, identity.publicKey)));
  t.ok(portableCrypto.verify(message, signature, identity.publicKey));
  t.same(crypto.hash(message), portableCrypto.hash(message));
  const ad = new Uint8Array(0);
  crypto.seal(at(3, new Uint8Array(32)), at(51, new Uint8Array(12)), ad, message, arena.subarray(301, 324));
  t.ok(portableCrypto.open(new Uint8Array(32), new Uint8Array(12), ad, arena.subarray(301, 324), new Uint8Array(7)));
});

/** Runs code in a Node that refuses native addons, as one does for which sodium-native brings no binary. */
function inNodeWithoutAddons(code: string): Record<string, string> {
  const script = `
    import { chooseCrypto } from ${JSON.stringify(chooser)};
    const print = (value) => process.stdout.write(JSON.stringify(value));
    ${code}`;
  const args = ["--no-addons", "--input-type=module", "--eval", script];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", env: {} }));
}
