import { CloseCode } from "../wire/codes.js";

/** Counters of a node's links; they only grow. */
export interface LinkStats {
  /** Hellos that were completed. */
  established: number;
  /** Links that this node closed, indexed by `CloseCode`. */
  readonly closed: number[];
  /** Links in hello that made room for newer ones. */
  hellosEvicted: number;
  /** Hellos refused because strangers had spent the budget of signatures. */
  hellosOverBudget: number;
  /** Hellos refused because there was no room for the link, or no port number. */
  linksRefused: number;
  /** PONGs that answer no PING that is out. */
  pongsUnasked: number;
  /** Times that frames began to wait for what was under way on a link. */
  windowsFull: number;
}

export function newLinkStats(): LinkStats {
  return {
    established: 0,
    closed: Object.values(CloseCode).map(() => 0),
    hellosEvicted: 0,
    hellosOverBudget: 0,
    linksRefused: 0,
    pongsUnasked: 0,
    windowsFull: 0,
  };
}
