/**
 * @module GET /v1/models, and GET and DELETE /v1/models/:id, where an id may hold slashes.
 */
import { Hono } from "hono"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { describe } from "./openapi/describe.ts"

const tag = "Models"

/** The model routes. */
export function modelRoutes({ service }: RouteEnvironment) {
  const app = new Hono<AppTypes>()
    .get(
      "/v1/models",
      describe("GET /v1/models", { tag, summary: "The base and its adapters", answer: "ModelList" }),
      async (c) => c.json(await service.listModels(callerOf(c))),
    )
    .get(
      "/v1/models/:id{.+}",
      describe("GET /v1/models/:id{.+}", { tag, summary: "A model", answer: "ModelCard" }),
      async (c) => c.json(await service.retrieveModel(c.req.param("id"), callerOf(c))),
    )
    .delete(
      "/v1/models/:id{.+}",
      describe("DELETE /v1/models/:id{.+}", {
        tag,
        summary: "Deletes a model that a job made, from memory and disk, for good; answers in flight end on it",
        answer: "DeletedModel",
      }),
      async (c) => c.json(await service.deleteModel(c.req.param("id"), callerOf(c))),
    )
  app.all("/v1/models", onlyMethods("GET"))
  app.all("/v1/models/:id{.+}", onlyMethods("GET", "DELETE"))
  return app
}
