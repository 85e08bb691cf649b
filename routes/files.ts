/**
 * @module /v1/files: upload, list, look at, download and delete training files.
 */
import { type Context, Hono } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import type { FileService } from "../src/service/files.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readMultipart } from "./multipart.ts"
import { describe } from "./openapi/describe.ts"

const tag = "Files"

/** The file routes. */
export function fileRoutes({ service }: RouteEnvironment) {
  const files = (): FileService => {
    if (service.files) return service.files
    throw new EspalierError("unsupported", "This server keeps no files", {
      hint: "Start it with a folder for files and jobs (--store)",
    })
  }
  const app = new Hono<AppTypes>()
    .post(
      "/v1/files",
      describe<never, never, { file: File; purpose: "fine-tune" | "assistants" | "user_data" }>("POST /v1/files", {
        tag,
        once: true,
        summary: "Takes in a file",
        form: { file: "Lines of training data, or a document", purpose: "fine-tune, assistants or user_data" },
        answer: "FileObject",
      }),
      async (c) => c.json(await files().create(readMultipart(c.req.raw), callerOf(c))),
    )
    .get("/v1/files", describe("GET /v1/files", { tag, summary: "Files", query: "files", answer: "FilePage" }), (c) =>
      c.json(files().list(c.req.query(), callerOf(c))),
    )
    .get(
      "/v1/files/:id",
      describe("GET /v1/files/:id", { tag, summary: "A file's facts", answer: "FileObject" }),
      (c) => c.json(files().retrieve(c.req.param("id"), callerOf(c))),
    )
    .delete(
      "/v1/files/:id",
      describe("DELETE /v1/files/:id", { tag, summary: "Deletes a file", answer: "DeletedFile" }),
      async (c) => c.json(await files().delete(c.req.param("id"), callerOf(c))),
    )
    .get(
      "/v1/files/:id/content",
      describe("GET /v1/files/:id/content", {
        tag,
        summary: "A file's bytes",
        answer: { type: "application/octet-stream" },
      }),
      (c) => download(c, files()),
    )
  app.all("/v1/files", onlyMethods("GET", "POST"))
  app.all("/v1/files/:id", onlyMethods("GET", "DELETE"))
  app.all("/v1/files/:id/content", onlyMethods("GET"))
  return app
}

function download(c: Context<AppTypes, "/v1/files/:id/content">, files: FileService): Response {
  const { file, chunks } = files.content(c.req.param("id"), callerOf(c))
  return new Response(streamOf(chunks), {
    headers: {
      "content-type": "application/octet-stream",
      "content-length": `${file.bytes}`,
      "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.filename)}`,
      "x-content-type-options": "nosniff",
    },
  })
}

function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
