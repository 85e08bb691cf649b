/**
 * @module /v1/adapters: list, load, look at and unload adapters while the server runs.
 */
import { Hono } from "hono"
import { checked } from "../src/service/check.ts"
import { adapterRequest } from "../src/service/wire.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { describe } from "./openapi/describe.ts"

const tag = "Adapters"

/** The adapter routes. */
export function adapterRoutes({ service, maxBodyBytes }: RouteEnvironment) {
  const app = new Hono<AppTypes>()
    .get(
      "/v1/adapters",
      describe("GET /v1/adapters", { tag, summary: "Loaded adapters", answer: "AdapterList" }),
      async (c) => c.json(await service.listAdapters(callerOf(c))),
    )
    .post(
      "/v1/adapters",
      describe("POST /v1/adapters", {
        tag,
        summary: "Loads an adapter from below the server's adapters folder",
        body: "AdapterRequest",
        answer: "AdapterCard",
        status: 201,
      }),
      async (c) => {
        const request = checked(adapterRequest, await readJson(c, maxBodyBytes))
        return c.json(await service.loadAdapter(request, callerOf(c)), 201)
      },
    )
    .get(
      "/v1/adapters/:name",
      describe("GET /v1/adapters/:name", { tag, summary: "A loaded adapter", answer: "AdapterCard" }),
      async (c) => c.json(await service.retrieveAdapter(c.req.param("name"), callerOf(c))),
    )
    .delete(
      "/v1/adapters/:name",
      describe("DELETE /v1/adapters/:name", {
        tag,
        summary: "Unloads an adapter; answers in flight end on it",
        answer: "DeletedAdapter",
      }),
      async (c) => {
        const name = c.req.param("name")
        await service.unloadAdapter(name, callerOf(c))
        return c.json({ id: name, object: "adapter" as const, deleted: true as const })
      },
    )
  app.all("/v1/adapters", onlyMethods("GET", "POST"))
  app.all("/v1/adapters/:name", onlyMethods("GET", "DELETE"))
  return app
}
