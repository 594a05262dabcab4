/** The id of every simulated network. */
export const NETWORK_ID = "sim";
