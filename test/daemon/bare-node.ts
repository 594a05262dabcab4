/** How to start Node without tap's hooks, with which each start takes three times as long and tsc does not run at all. */
export const BARE_NODE: readonly [command: string, ...args: string[]] = ["env", "-u", "NODE_OPTIONS", process.execPath];
