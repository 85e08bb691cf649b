/**
 * @module POST /v1/chat/completions.
 */
import { Hono } from "hono"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { describe } from "./openapi/describe.ts"
import { answerOutcome } from "./outcome.ts"

/** The chat route. */
export function chatRoutes(environment: RouteEnvironment) {
  const { service, maxBodyBytes } = environment
  const app = new Hono<AppTypes>().post(
    "/v1/chat/completions",
    describe("POST /v1/chat/completions", {
      tag: "Text",
      summary: "Answers a conversation",
      body: "ChatRequest",
      answer: "ChatCompletion",
      stream: "ChatCompletionChunk",
    }),
    async (c) => {
      const body = await readJson(c, maxBodyBytes)
      return answerOutcome(c, environment, (options) => service.chat(body, options))
    },
  )
  app.all("/v1/chat/completions", onlyMethods("POST"))
  return app
}
