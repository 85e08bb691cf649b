/**
 * @module `node:path` in a page, as far as names are made with it: there are no files behind them.
 */
export const join = (...parts: readonly string[]): string =>
  parts
    .filter((part) => part !== "")
    .join("/")
    .replace(/\/+/g, "/")
export const resolve = join
export const basename = (path: string): string => path.replace(/\/+$/, "").split("/").at(-1) ?? ""
export const dirname = (path: string): string => path.replace(/\/?[^/]*\/*$/, "") || "."
