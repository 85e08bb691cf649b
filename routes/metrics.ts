/**
 * @module GET /metrics: what Prometheus reads.
 */
import { Hono } from "hono"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { HttpError } from "./errors.ts"
import { describe } from "./openapi/describe.ts"

/** The metrics route. */
export function metricRoutes({ service }: RouteEnvironment) {
  const app = new Hono<AppTypes>().get(
    "/metrics",
    describe("GET /metrics", { tag: "Operation", summary: "What Prometheus reads", answer: { type: "text/plain" } }),
    async (c) => {
      // It names every tenant's models.
      if (callerOf(c).owner !== undefined)
        throw new HttpError(403, "invalid_request", "Metrics tell of every tenant: they need a key that has none")
      return c.body(await service.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
    },
  )
  app.all("/metrics", onlyMethods("GET"))
  return app
}
