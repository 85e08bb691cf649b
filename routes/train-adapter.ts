/**
 * @module POST /v1/train: trains an adapter on the examples in its body, within the request. Mounted where there
 * are no jobs: on an edge worker.
 */
import { Hono } from "hono"
import { checked } from "../src/service/check.ts"
import { type TrainAdapter, trainRequest } from "../src/service/train-request.ts"
import { type AppTypes, onlyMethods } from "./environment.ts"
import { readJson } from "./json-body.ts"

/** The route. */
export function trainAdapterRoutes(train: TrainAdapter, maxBodyBytes: number): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  app.post("/v1/train", async (c) => {
    const request = checked(trainRequest, await readJson(c, maxBodyBytes))
    return c.json(await train(request, c.req.raw.signal), 201)
  })
  app.all("/v1/train", onlyMethods("POST"))
  return app
}
