/**
 * @module GET /health, /health/ready and /health/live: open to everybody. The first two say whether the engine is there, the
 * last one that this process answers.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { describe } from "./openapi/describe.ts"

const tag = "Operation"

/** The health routes. */
export function healthRoutes({ service }: RouteEnvironment) {
  const app = new Hono<AppTypes>()
    .get(
      "/health",
      describe("GET /health", { tag, summary: "Whether the engine is there", answer: "Health" }),
      async (c) => c.json(await service.health()),
    )
    .get(
      "/health/ready",
      describe("GET /health/ready", { tag, summary: "Whether the engine is there", answer: "Health" }),
      async (c) => c.json(await service.health()),
    )
    .get(
      "/health/live",
      describe("GET /health/live", { tag, summary: "Whether the process answers", answer: "Live" }),
      (c) => c.json({ status: "ok" as const }),
    )
  for (const path of ["/health", "/health/ready", "/health/live"]) app.all(path, onlyMethods("GET"))
  return app
}
