/**
 * @module API keys: `Authorization: Bearer <key>`. Only routes that are declared open need none, and every other one needs
 * a key with its scope.
 */
import type { MiddlewareHandler } from "hono"
import type { Keyring } from "../../src/service/keyring.ts"
import { HttpError } from "../errors.ts"
import { scopeOf } from "../scopes.ts"
import type { RequestVariables } from "./request-id.ts"

/** Refuses requests without a key with 401, and those whose key may not do what they ask for with 403. */
export function bearerAuth(keyring: Keyring): MiddlewareHandler<{ Variables: RequestVariables }> {
  return async (c, next) => {
    const scope = scopeOf(c.req.method, c.req.path)
    if (scope === "open") return next()
    const header = c.req.header("authorization")
    if (header === undefined) throw refused("This server needs an API key: none was sent")
    const [, given] = /^Bearer +(\S+) *$/i.exec(header) ?? []
    if (given === undefined) throw refused("Expected the header `Authorization: Bearer <key>`")
    const key = await keyring.find(given)
    if (key === null) throw refused("The API key is not the right one")
    c.set("key", key)
    if (!key.scopes.includes("admin") && !key.scopes.includes(scope)) {
      throw new HttpError(403, "invalid_request", `This API key may not do this: it needs the scope "${scope}"`)
    }
    return next()
  }
}

function refused(message: string): HttpError {
  return new HttpError(401, "invalid_request", message, { headers: { "www-authenticate": "Bearer" } })
}
