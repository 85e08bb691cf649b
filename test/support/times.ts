/**
 * @module How often a fault is tried.
 */

/** So often at each commit, or as often as ESPALIER_TIMES says: `npm run torture` sets it. */
export const times = (perCommit: number): number => Number(process.env["ESPALIER_TIMES"] ?? perCommit)
