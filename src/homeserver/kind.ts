/** The homeservers whose files are known here. */
export const KINDS = ["synapse", "dendrite"] as const;
export type Kind = (typeof KINDS)[number];

/** As their makers write them. */
export const KIND_NAMES: Readonly<Record<Kind, string>> = { synapse: "Synapse", dendrite: "Dendrite" };
