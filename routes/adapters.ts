/**
 * @module /v1/adapters: list, load, look at and unload adapters while the server runs.
 */
import { Hono } from "hono"
import { checked } from "../src/service/check.ts"
import { adapterRequest } from "../src/service/wire.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"

/** The adapter routes. */
export function adapterRoutes({ service, maxBodyBytes }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  app.get("/v1/adapters", async (c) => c.json(await service.listAdapters(callerOf(c))))
  app.post("/v1/adapters", async (c) => {
    const request = checked(adapterRequest, await readJson(c, maxBodyBytes))
    return c.json(await service.loadAdapter(request, callerOf(c)), 201)
  })
  app.all("/v1/adapters", onlyMethods("GET", "POST"))
  app.get("/v1/adapters/:name", async (c) => c.json(await service.retrieveAdapter(c.req.param("name"), callerOf(c))))
  app.delete("/v1/adapters/:name", async (c) => {
    const name = c.req.param("name")
    await service.unloadAdapter(name, callerOf(c))
    return c.json({ id: name, object: "adapter", deleted: true })
  })
  app.all("/v1/adapters/:name", onlyMethods("GET", "DELETE"))
  return app
}
