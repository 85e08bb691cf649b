/**
 * @module GET /health, /health/ready and /health/live: open to everybody. The first two say whether the engine is there, the
 * last one that this process answers.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"

/** The health routes. */
export function healthRoutes({ service }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  app.get("/health", async (c) => c.json(await service.health()))
  app.all("/health", onlyMethods("GET"))
  app.get("/health/ready", async (c) => c.json(await service.health()))
  app.all("/health/ready", onlyMethods("GET"))
  app.get("/health/live", (c) => c.json({ status: "ok" }))
  app.all("/health/live", onlyMethods("GET"))
  return app
}
