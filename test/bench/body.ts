import type { Benchmark } from "./benchmark.js";
import { alternate } from "./figures.js";
import { openHomeservers } from "./homeservers.js";
import { openTls } from "./tls.js";

const ROUNDS = 3;
const BODY_BYTES = 500e6;

/** A large download, from one homeserver's side to the other's. */
export const body: Benchmark = {
  lines: [
    {
      name: "body",
      what: "HTTP body of 500 MB, homeserver to homeserver, by two daemons and a relay",
      unit: "MB/s",
      against: "TLS by a blind relay",
      target: { atLeast: 0.35 },
    },
  ],

  async run(bench) {
    const { a, byMesh } = await openHomeservers(bench);
    const { sender, server } = await openTls(bench);
    const rate = (durationMs: number) => BODY_BYTES / 1_000 / durationMs;
    const { ours, tls } = await alternate(ROUNDS, {
      ours: async () => rate(await a.ask("download", { ...byMesh, sizeBytes: BODY_BYTES })),
      tls: async () => {
        await sender.ask("send");
        const durationMs = await server.ask<number>("take", { sizeBytes: BODY_BYTES });
        await sender.ask("stop");
        return rate(durationMs);
      },
    });
    return { body: { ours, reference: tls } };
  },
};
