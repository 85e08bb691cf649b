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
import { describe } from "./openapi/describe.ts"

const ROOT = "/v1/rag/documents"
const tag = "Documents"
const FORM = {
  file: "Markdown, HTML, PDF, text or JSON lines",
  collection: "The collection; `default` where it is left out",
}

/** The document routes. */
export function ragRoutes({ service, maxBodyBytes }: RouteEnvironment) {
  const documents = (): DocumentService => {
    if (service.documents) return service.documents
    throw new EspalierError("unsupported", "This server keeps no documents", {
      hint: "Start it with a folder for them (--documents)",
    })
  }
  const app = new Hono<AppTypes>()
    .post(
      ROOT,
      describe("POST /v1/rag/documents", {
        tag,
        once: true,
        summary: "Adds documents, or puts them in the place of those of their ids",
        body: "DocumentsRequest",
        form: FORM,
        answer: "AddedDocuments",
      }),
      async (c) => {
        const isForm = /^multipart\/form-data\b/i.test(c.req.header("content-type") ?? "")
        const added = isForm
          ? documents().upload(readMultipart(c.req.raw), callerOf(c))
          : documents().add(await readJson(c, maxBodyBytes), callerOf(c))
        return c.json(await added)
      },
    )
    .get(
      ROOT,
      describe("GET /v1/rag/documents", { tag, summary: "Documents", query: "documents", answer: "DocumentList" }),
      (c) => c.json(documents().list(c.req.query(), callerOf(c))),
    )
    // Ids may be paths.
    .get(
      `${ROOT}/:id{.+}`,
      describe("GET /v1/rag/documents/:id{.+}", {
        tag,
        summary: "A document",
        query: "collection",
        answer: "DocumentText",
      }),
      (c) => c.json(documents().retrieve(c.req.param("id"), c.req.query(), callerOf(c))),
    )
    .delete(
      `${ROOT}/:id{.+}`,
      describe("DELETE /v1/rag/documents/:id{.+}", {
        tag,
        summary: "Deletes a document",
        query: "collection",
        answer: "DeletedDocument",
      }),
      (c) => c.json(documents().delete(c.req.param("id"), c.req.query(), callerOf(c))),
    )
    .post(
      "/v1/rag/search",
      describe("POST /v1/rag/search", {
        tag,
        summary: "Passages that a question is answered by",
        body: "SearchRequest",
        answer: "PassageList",
      }),
      async (c) => c.json(await documents().search(await readJson(c, maxBodyBytes), callerOf(c))),
    )
  app.all(ROOT, onlyMethods("GET", "POST"))
  app.all(`${ROOT}/:id{.+}`, onlyMethods("GET", "DELETE"))
  app.all("/v1/rag/search", onlyMethods("POST"))
  return app
}
