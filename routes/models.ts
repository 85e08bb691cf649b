/**
 * @module GET /v1/models, and GET and DELETE /v1/models/:id, where an id may hold slashes.
 */
import { Hono } from "hono"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"

/** The model routes. */
export function modelRoutes({ service }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  app.get("/v1/models", async (c) => c.json(await service.listModels(callerOf(c))))
  app.all("/v1/models", onlyMethods("GET"))
  app.get("/v1/models/:id{.+}", async (c) => c.json(await service.retrieveModel(c.req.param("id"), callerOf(c))))
  app.delete("/v1/models/:id{.+}", async (c) => c.json(await service.deleteModel(c.req.param("id"), callerOf(c))))
  app.all("/v1/models/:id{.+}", onlyMethods("GET", "DELETE"))
  return app
}
