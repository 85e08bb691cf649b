/**
 * @module What every route module is handed, and what they all do alike.
 */
import type { Context } from "hono"
import type { Service } from "../src/service/service.ts"
import { HttpError } from "./errors.ts"
import type { RequestVariables } from "./middleware/request-id.ts"

/** Hono's types for this app. */
export interface AppTypes {
  Variables: RequestVariables
}

/** What the routes work with. */
export interface RouteEnvironment {
  readonly service: Service
  readonly maxBodyBytes: number
  readonly keepAliveMs: number
  /** Milliseconds that a generation may take; null for as long as it likes. */
  readonly requestTimeoutMs: number | null
  /** Gets every error that is our own fault, and those that break a stream. */
  readonly onError: (error: unknown, requestId: string) => void
}

/** Answers 405 to every method but `allowed`: put it after a path's own routes. */
export function onlyMethods(...allowed: readonly string[]): (c: Context) => never {
  return (c) => {
    throw new HttpError(
      405,
      "invalid_request",
      `Expected the method ${allowed.join(" or ")} but found ${c.req.method}`,
      {
        headers: { allow: allowed.join(", ") },
      },
    )
  }
}
