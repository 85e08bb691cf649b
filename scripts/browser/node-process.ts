/**
 * @module `node:process` in a page: an environment that nobody set.
 */
const process = { env: {} as Record<string, string | undefined>, platform: "browser" }

// biome-ignore lint/style/noDefaultExport: that is how node:process is imported
export { process as default }
