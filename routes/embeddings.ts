/**
 * @module POST /v1/embeddings.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { answerOutcome } from "./outcome.ts"

/** The embeddings route. */
export function embeddingRoutes(environment: RouteEnvironment): Hono<AppTypes> {
  const { service, maxBodyBytes } = environment
  const app = new Hono<AppTypes>()
  app.post("/v1/embeddings", async (c) => {
    const body = await readJson(c, maxBodyBytes)
    return answerOutcome(c, environment, (options) => service.embeddings(body, options))
  })
  app.all("/v1/embeddings", onlyMethods("POST"))
  return app
}
