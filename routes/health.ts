/**
 * @module GET /health: open to everybody, says whether the engine is there.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"

/** The health route. */
export function healthRoutes({ service }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  app.get("/health", async (c) => c.json(await service.health()))
  app.all("/health", onlyMethods("GET"))
  return app
}
