import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { putStatement } from "../../src/homeserver/well-known-file.js";
import { Place } from "./files.js";

const STATEMENT = { server_name: "example.org", issued_ts: 1 };

t.test("a statement is put beside what a well-known file says, in its layout and with its mode", async (t) => {
  const place = await Place.make(t);
  const cases: [before: string, after: string][] = [
    ['{"m.server":"a:443"}', '{"m.server":"a:443","pinyon.node":{"server_name":"example.org","issued_ts":1}}\n'],
    ['{"pinyon.node":{"old":1},"x":[1]}\n', '{"pinyon.node":{"server_name":"example.org","issued_ts":1},"x":[1]}\n'],
    [
      '{\n  "m.server": "a:443"\n}\n',
      '{\n  "m.server": "a:443",\n  "pinyon.node": {\n    "server_name": "example.org",\n    "issued_ts": 1\n  }\n}\n',
    ],
  ];
  for (const [before, after] of cases) {
    const file = place.write("server", before, 0o640);
    await putStatement(file, STATEMENT);
    t.equal(readFileSync(file, "utf8"), after);
    t.equal(statSync(file).mode & 0o777, 0o640);
  }
});

t.test("where there is no file one is made that others can read", async (t) => {
  const place = await Place.make(t);
  const file = join(place.folder, "server");
  await putStatement(file, STATEMENT);
  t.equal(readFileSync(file, "utf8"), '{"pinyon.node":{"server_name":"example.org","issued_ts":1}}\n');
  t.equal(statSync(file).mode & 0o777, 0o644);
});

t.test("what is no JSON object, or cannot be written, stays as it is", async (t) => {
  const place = await Place.make(t);
  for (const text of ["", "[]", "{broken", '"text"']) {
    const file = place.write("server", text);
    await t.rejects(putStatement(file, STATEMENT), {
      code: "PINYON_HOMESERVER_FILE",
      message: /this is no JSON object/,
    });
    t.equal(readFileSync(file, "utf8"), text);
  }
  const gone = join(place.folder, "no", "server");
  await t.rejects(putStatement(gone, STATEMENT), { code: "PINYON_HOMESERVER_FILE" });
  t.notOk(existsSync(gone));
  mkdirSync(join(place.folder, "folder"));
  await t.rejects(putStatement(join(place.folder, "folder"), STATEMENT), { code: "PINYON_HOMESERVER_FILE" });
});
