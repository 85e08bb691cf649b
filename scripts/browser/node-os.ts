/**
 * @module `node:os` in a page.
 */

/** Nobody's home. */
export const homedir = (): string => "/"
