/**
 * @module `node:process` in a page: an environment that nobody set.
 */
const process = { env: {} as Record<string, string | undefined>, platform: "browser" }

export { process as default }
