/**
 * @module /v1/files: upload, list, look at, download and delete training files.
 */
import { type Context, Hono } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import type { FileService } from "../src/service/files.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readMultipart } from "./multipart.ts"

/** The file routes. */
export function fileRoutes({ service }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  const files = (): FileService => {
    if (service.files) return service.files
    throw new EspalierError("unsupported", "This server keeps no files", {
      hint: "Start it with a folder for files and jobs (--store)",
    })
  }
  app.post("/v1/files", async (c) => c.json(await files().create(readMultipart(c.req.raw), callerOf(c))))
  app.get("/v1/files", (c) => c.json(files().list(c.req.query(), callerOf(c))))
  app.all("/v1/files", onlyMethods("GET", "POST"))
  app.get("/v1/files/:id", (c) => c.json(files().retrieve(c.req.param("id"), callerOf(c))))
  app.delete("/v1/files/:id", async (c) => c.json(await files().delete(c.req.param("id"), callerOf(c))))
  app.all("/v1/files/:id", onlyMethods("GET", "DELETE"))
  app.get("/v1/files/:id/content", (c) => download(c, files()))
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
