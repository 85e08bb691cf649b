/**
 * @module GET /metrics: what Prometheus reads.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { describe } from "./openapi/describe.ts"

/** The metrics route. */
export function metricRoutes({ service }: RouteEnvironment) {
  const app = new Hono<AppTypes>().get(
    "/metrics",
    describe("GET /metrics", { tag: "Operation", summary: "What Prometheus reads", answer: { type: "text/plain" } }),
    async (c) => c.body(await service.metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  )
  app.all("/metrics", onlyMethods("GET"))
  return app
}
