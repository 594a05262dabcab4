import type { Scene, Stage } from "../stage.js";
import { peerStopped } from "./absence.js";
import { backfillAfterCut, partitionHealed, toDeviceAfterCut } from "./cut.js";
import { deviceLists, keysQueryAndClaim, toDevice } from "./devices.js";
import { profile, publicRooms, space } from "./directories.js";
import { encryptedMessage } from "./encrypted.js";
import { mediaFile, relayKilled } from "./media.js";
import { noNames } from "./names.js";
import { inviteAccepted, inviteRejected, knock, leave, roomOfVersion } from "./rooms.js";
import { whatRelaySaw } from "./sight.js";
import type { Step } from "./step.js";
import { accounts, joinByAlias, messagesEachWay, typingAndReceipt } from "./talk.js";

/** What any two homeservers must do, in the order in which the steps build on each other. */
export const TALK_STEPS: readonly Step<Scene>[] = [
  { title: "an account on each homeserver", run: accounts },
  { title: "a room joined over federation by its alias", run: joinByAlias },
  { title: "50 messages each way, in order, once", run: (scene) => messagesEachWay(scene, 50) },
  { title: "typing, a receipt and presence", run: typingAndReceipt },
  { title: "an end-to-end encrypted direct message", run: encryptedMessage },
  { title: "a 50 MB file, the same on both sides", run: mediaFile },
];

/** The same of who is in a room. */
export const MEMBERSHIP_STEPS: readonly Step<Scene>[] = [
  { title: "an invitation accepted", run: inviteAccepted },
  { title: "an invitation rejected", run: inviteRejected },
  { title: "a room left", run: leave },
];

/** What the demo shows. */
export function demoSteps({ awayMs }: { awayMs: number }): readonly Step<Stage>[] {
  return [
    ...TALK_STEPS,
    { title: "R1 killed in mid-file, another 50 MB", run: relayKilled },
    {
      title: `B stopped for ${awayMs / 1_000} s, ten messages meanwhile`,
      run: (stage) => peerStopped(stage, awayMs),
    },
    { title: "what R1 could see", run: whatRelaySaw },
    { title: "no name resolution", run: noNames },
  ];
}

/** What two homeservers must do as well, when those are done. */
export const FURTHER_STEPS: readonly Step<Stage>[] = [
  ...MEMBERSHIP_STEPS,
  { title: "a knock", run: knock },
  { title: "a room of version 10", run: (stage) => roomOfVersion(stage, "10") },
  { title: "a room of version 12", run: (stage) => roomOfVersion(stage, "12") },
  { title: "keys queried and claimed", run: keysQueryAndClaim },
  { title: "device lists", run: deviceLists },
  { title: "messages to a device", run: toDevice },
  { title: "public rooms", run: publicRooms },
  { title: "a profile", run: profile },
  { title: "a space", run: space },
  { title: "messages to a device that is cut off", run: toDeviceAfterCut },
  { title: "backfill after a cut", run: backfillAfterCut },
  { title: "a partition healed", run: partitionHealed },
];
