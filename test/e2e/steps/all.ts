import type { Stage } from "../stage.js";
import { peerStopped } from "./absence.js";
import { encryptedMessage } from "./encrypted.js";
import { mediaFile, relayKilled } from "./media.js";
import { noNames } from "./names.js";
import { plantFrame, whatRelaySaw } from "./sight.js";
import type { Step } from "./step.js";
import { accounts, joinByAlias, messagesEachWay, typingAndReceipt } from "./talk.js";

/** What two homeservers must do across the mesh, in the order in which the steps build on each other. */
export function allSteps({ awayMs }: { awayMs: number }): readonly Step<Stage>[] {
  return [
    { title: "an account on each homeserver", run: accounts },
    { title: "a room joined over federation by its alias", run: joinByAlias },
    { title: "50 messages each way, in order, once", run: (stage) => messagesEachWay(stage) },
    { title: "typing and a receipt", run: typingAndReceipt },
    { title: "an end-to-end encrypted direct message", run: encryptedMessage },
    { title: "a plaintext frame planted on the way by R1", run: plantFrame },
    { title: "a 50 MB file, the same on both sides", run: mediaFile },
    { title: "R1 killed in the middle of another 50 MB file", run: relayKilled },
    {
      title: `B stopped for ${awayMs / 1_000} s while A sends ten messages`,
      run: (stage) => peerStopped(stage, awayMs),
    },
    { title: "what R1 could see", run: whatRelaySaw },
    { title: "no name resolution", run: noNames },
  ];
}
