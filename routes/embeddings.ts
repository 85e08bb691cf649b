/**
 * @module POST /v1/embeddings.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { describe } from "./openapi/describe.ts"
import { answerOutcome } from "./outcome.ts"

/** The embeddings route. */
export function embeddingRoutes(environment: RouteEnvironment) {
  const { service, maxBodyBytes } = environment
  const app = new Hono<AppTypes>().post(
    "/v1/embeddings",
    describe("POST /v1/embeddings", {
      tag: "Text",
      summary: "Turns texts into vectors",
      body: "EmbeddingRequest",
      answer: "EmbeddingList",
    }),
    async (c) => {
      const body = await readJson(c, maxBodyBytes)
      return answerOutcome(c, environment, (options) => service.embeddings(body, options))
    },
  )
  app.all("/v1/embeddings", onlyMethods("POST"))
  return app
}
