/**
 * @module `--set name=value`: settings of a method on the command line.
 */
import { EspalierError } from "../core/errors.ts"
import type { Method } from "../method.ts"

/** `name=value` pairs as settings: JSON where the value is JSON, a list where it has commas, a text elsewhere. */
export function methodSettings(method: Method, pairs: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=")
      if (at < 1)
        throw new EspalierError("invalid_request", `Expected --set name=value but found ${JSON.stringify(pair)}`, {
          hint: `Settings of ${method.name} are listed in docs/methods.md`,
        })
      const [name, text] = [pair.slice(0, at), pair.slice(at + 1)]
      try {
        return [name, JSON.parse(text)]
      } catch {
        return [
          name,
          text.includes(",")
            ? text.split(",")
            : name === "targets" && !/[^\w.]/.test(text) && !["all", "all-linear"].includes(text)
              ? [text]
              : text,
        ]
      }
    }),
  )
}
