/**
 * @module How many threads an engine gets where nobody says.
 */
const MOST = 8

/** Cores of this machine, at most 8. */
export const defaultThreads = (): number => Math.max(1, Math.min(MOST, globalThis.navigator?.hardwareConcurrency ?? 1))
