/**
 * @module One API key for the whole server: `Authorization: Bearer <key>`. Paths are open only if they are listed.
 */
import type { MiddlewareHandler } from "hono"
import { HttpError } from "../errors.ts"

/**
 * Refuses every request without the key with 401.
 * @param key what clients must send
 * @param openPaths exact paths that need none
 */
export function bearerAuth(key: string, openPaths: readonly string[]): MiddlewareHandler {
  const wanted = digestOf(key)
  return async (c, next) => {
    if (openPaths.includes(c.req.path)) return next()
    const header = c.req.header("authorization")
    if (header === undefined) throw refused("This server needs an API key: none was sent")
    const [, given] = /^Bearer +(\S+) *$/i.exec(header) ?? []
    if (given === undefined) throw refused("Expected the header `Authorization: Bearer <key>`")
    if (!equal(await digestOf(given), await wanted)) throw refused("The API key is not the right one")
    return next()
  }
}

function refused(message: string): HttpError {
  return new HttpError(401, "invalid_request", message, { headers: { "www-authenticate": "Bearer" } })
}

/** Digests have one length, so that comparing them tells nothing of the key's. */
async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))
}

/** Looks at every byte, whatever the first ones are. */
function equal(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length
  for (let i = 0; i < left.length; i++) difference |= left[i]! ^ right[i]!
  return difference === 0
}
