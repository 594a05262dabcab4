/** Local limits of this folder. */

/**
 * Verdicts kept by a `VerdictCache` where nothing else is said. Worst case 145 bytes each (32-character key, the entry, its place in
 * the list; measured on Node 20), 2.4 MB together. Evictions are counted.
 */
export const VERDICTS_MAX = 16_384;
