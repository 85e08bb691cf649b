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
        once: true,
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
        summary:
          "Unloads an adapter; answers in flight end on it. A job's model stays on disk and is loaded again when it is asked for: DELETE /v1/models deletes it",
        answer: "DeletedAdapter",
      }),
      async (c) => {
        const name = c.req.param("name")
        await service.unloadAdapter(name, callerOf(c))
        return c.json({ id: name, object: "adapter" as const, deleted: true as const })
      },
    )
    .post(
      "/v1/adapters/:name/rollback",
      describe("POST /v1/adapters/:name/rollback", {
        tag,
        once: true,
        summary: "Goes back to the version that was replaced; once more undoes it",
        answer: "AdapterCard",
      }),
      async (c) => c.json(await service.rollbackAdapter(c.req.param("name"), callerOf(c))),
    )
    .get(
      "/lora-adapters",
      describe("GET /lora-adapters", { tag, summary: "Ids and scales, as llama.cpp has them", answer: "LoraList" }),
      async (c) => c.json(await service.listLoras(callerOf(c))),
    )
    .post(
      "/lora-adapters",
      describe("POST /lora-adapters", {
        tag,
        summary: "What adapters weigh in requests to the base that say nothing else, as llama.cpp has it",
        body: "LoraScales",
        answer: "Done",
      }),
      async (c) => {
        await service.scaleLoras(await readJson(c, maxBodyBytes, "list"), callerOf(c))
        return c.json({ success: true as const })
      },
    )
  app.all("/v1/adapters", onlyMethods("GET", "POST"))
  app.all("/v1/adapters/:name", onlyMethods("GET", "DELETE"))
  app.all("/v1/adapters/:name/rollback", onlyMethods("POST"))
  app.all("/lora-adapters", onlyMethods("GET", "POST"))
  return app
}
