import fc from "fast-check";
import t from "tap";
import { type Claimant, isKept } from "../../src/node/links.js";

const SMALL = Uint8Array.of(1);
const LARGE = Uint8Array.of(2);

/** The links between two nodes as each of them sees them: who dialled, and the epoch that both agreed on. */
const links = fc.uniqueArray(fc.record({ bySmall: fc.boolean(), linkEpoch: fc.nat() }), {
  minLength: 2,
  maxLength: 5,
  selector: ({ linkEpoch }) => linkEpoch,
});

t.test("both ends keep the same link of several, in whatever order they see them", async (t) => {
  const keptAt = (ours: Uint8Array, theirs: Uint8Array, seen: readonly (Claimant & { name: number })[]) =>
    seen.reduce((kept, link) => (isKept(link, kept, ours, theirs) ? link : kept)).name;
  fc.assert(
    fc.property(links, fc.infiniteStream(fc.nat()), (made, order) => {
      const atSmall = made.map(({ bySmall, linkEpoch }, name) => ({ dialled: bySmall, linkEpoch, name }));
      const atLarge = made.map(({ bySmall, linkEpoch }, name) => ({ dialled: !bySmall, linkEpoch, name }));
      const shuffled = atLarge
        .map((link) => ({ link, place: order.next().value! }))
        .sort((a, b) => a.place - b.place)
        .map(({ link }) => link);
      return keptAt(SMALL, LARGE, atSmall) === keptAt(LARGE, SMALL, shuffled);
    }),
  );
  t.pass();
});

t.test("the link that the smaller key dialled is kept, else the newer", async (t) => {
  const [dialled, accepted] = [true, false].map((isDialled) => ({ dialled: isDialled, linkEpoch: 5 }));
  t.ok(isKept(dialled!, accepted!, SMALL, LARGE));
  t.notOk(isKept(dialled!, accepted!, LARGE, SMALL));
  t.ok(isKept({ dialled: true, linkEpoch: 6 }, { dialled: true, linkEpoch: 5 }, LARGE, SMALL));
  t.notOk(isKept({ dialled: false, linkEpoch: 5 }, { dialled: false, linkEpoch: 6 }, LARGE, SMALL));
});
