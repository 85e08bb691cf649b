/**
 * @module /v1/rag: documents to search, and the search.
 */
import { Hono } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import type { DocumentService } from "../src/service/documents.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { readMultipart } from "./multipart.ts"

const ROOT = "/v1/rag/documents"

/** The document routes. */
export function ragRoutes({ service, maxBodyBytes }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  const documents = (): DocumentService => {
    if (service.documents) return service.documents
    throw new EspalierError("unsupported", "This server keeps no documents", {
      hint: "Start it with a folder for them (--documents)",
    })
  }
  app.post(ROOT, async (c) => {
    const isForm = /^multipart\/form-data\b/i.test(c.req.header("content-type") ?? "")
    const added = isForm
      ? documents().upload(readMultipart(c.req.raw), callerOf(c))
      : documents().add(await readJson(c, maxBodyBytes), callerOf(c))
    return c.json(await added)
  })
  app.get(ROOT, (c) => c.json(documents().list(c.req.query(), callerOf(c))))
  app.all(ROOT, onlyMethods("GET", "POST"))
  // Ids may be paths.
  app.get(`${ROOT}/:id{.+}`, (c) => c.json(documents().retrieve(c.req.param("id"), c.req.query(), callerOf(c))))
  app.delete(`${ROOT}/:id{.+}`, (c) => c.json(documents().delete(c.req.param("id"), c.req.query(), callerOf(c))))
  app.all(`${ROOT}/:id{.+}`, onlyMethods("GET", "DELETE"))
  app.post("/v1/rag/search", async (c) =>
    c.json(await documents().search(await readJson(c, maxBodyBytes), callerOf(c))),
  )
  app.all("/v1/rag/search", onlyMethods("POST"))
  return app
}
