/**
 * @module POST /v1/completions.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { describe } from "./openapi/describe.ts"
import { answerOutcome } from "./outcome.ts"

/** The text completion route. */
export function completionRoutes(environment: RouteEnvironment) {
  const { service, maxBodyBytes } = environment
  const app = new Hono<AppTypes>().post(
    "/v1/completions",
    describe("POST /v1/completions", {
      tag: "Text",
      summary: "Goes on with a text",
      body: "CompletionRequest",
      answer: "Completion",
      stream: "Completion",
    }),
    async (c) => {
      const body = await readJson(c, maxBodyBytes)
      return answerOutcome(c, environment, (options) => service.complete(body, options))
    },
  )
  app.all("/v1/completions", onlyMethods("POST"))
  return app
}
