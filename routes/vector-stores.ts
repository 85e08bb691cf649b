/**
 * @module /v1/vector_stores: collections of documents under OpenAI's names.
 */
import { Hono } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import type { VectorStoreService } from "../src/service/vector-stores.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { describe } from "./openapi/describe.ts"

const ROOT = "/v1/vector_stores"
const tag = "Documents"

/** The routes of vector stores. */
export function vectorStoreRoutes({ service, maxBodyBytes }: RouteEnvironment) {
  const stores = (): VectorStoreService => {
    if (service.vectorStores) return service.vectorStores
    throw new EspalierError("unsupported", "This server keeps no vector stores", {
      hint: "Start it with folders for files and documents (--store, --documents)",
    })
  }
  const app = new Hono<AppTypes>()
    .post(
      ROOT,
      describe("POST /v1/vector_stores", {
        tag,
        once: true,
        summary: "Makes a vector store",
        body: "VectorStoreRequest",
        answer: "VectorStore",
      }),
      async (c) => c.json(await stores().create(await readJson(c, maxBodyBytes), callerOf(c))),
    )
    .get(
      ROOT,
      describe("GET /v1/vector_stores", {
        tag,
        summary: "Vector stores",
        query: "vectorStores",
        answer: "VectorStorePage",
      }),
      (c) => c.json(stores().list(c.req.query(), callerOf(c))),
    )
    .get(
      `${ROOT}/:id`,
      describe("GET /v1/vector_stores/:id", { tag, summary: "A vector store", answer: "VectorStore" }),
      (c) => c.json(stores().retrieve(c.req.param("id"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id`,
      describe("POST /v1/vector_stores/:id", {
        tag,
        summary: "Changes a vector store's name or metadata",
        body: "VectorStoreChange",
        answer: "VectorStore",
      }),
      async (c) => c.json(stores().modify(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
    )
    .delete(
      `${ROOT}/:id`,
      describe("DELETE /v1/vector_stores/:id", {
        tag,
        summary: "Deletes a vector store",
        answer: "DeletedVectorStore",
      }),
      (c) => c.json(stores().delete(c.req.param("id"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/files`,
      describe("POST /v1/vector_stores/:id/files", {
        tag,
        once: true,
        summary: "Adds an uploaded file",
        body: "VectorStoreFileRequest",
        answer: "VectorStoreFile",
      }),
      async (c) => c.json(await stores().addFile(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
    )
    .get(
      `${ROOT}/:id/files`,
      describe("GET /v1/vector_stores/:id/files", {
        tag,
        summary: "A vector store's files",
        query: "vectorStoreFiles",
        answer: "VectorStoreFilePage",
      }),
      (c) => c.json(stores().listFiles(c.req.param("id"), c.req.query(), callerOf(c))),
    )
    .get(
      `${ROOT}/:id/files/:file`,
      describe("GET /v1/vector_stores/:id/files/:file", {
        tag,
        summary: "A file of a vector store",
        answer: "VectorStoreFile",
      }),
      (c) => c.json(stores().retrieveFile(c.req.param("id"), c.req.param("file"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/files/:file`,
      describe("POST /v1/vector_stores/:id/files/:file", {
        tag,
        summary: "Changes a file's attributes",
        body: "VectorStoreFileChange",
        answer: "VectorStoreFile",
      }),
      async (c) =>
        c.json(
          await stores().modifyFile(
            c.req.param("id"),
            c.req.param("file"),
            await readJson(c, maxBodyBytes),
            callerOf(c),
          ),
        ),
    )
    .get(
      `${ROOT}/:id/files/:file/content`,
      describe("GET /v1/vector_stores/:id/files/:file/content", {
        tag,
        summary: "The text of a vector store's file",
        answer: "VectorStoreFileContent",
      }),
      (c) => c.json(stores().fileContent(c.req.param("id"), c.req.param("file"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/file_batches`,
      describe("POST /v1/vector_stores/:id/file_batches", {
        tag,
        once: true,
        summary: "Adds several uploaded files, all of them or none",
        body: "VectorStoreBatchRequest",
        answer: "VectorStoreBatch",
      }),
      async (c) => c.json(await stores().addBatch(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
    )
    .get(
      `${ROOT}/:id/file_batches/:batch`,
      describe("GET /v1/vector_stores/:id/file_batches/:batch", {
        tag,
        summary: "A batch of files",
        answer: "VectorStoreBatch",
      }),
      (c) => c.json(stores().retrieveBatch(c.req.param("id"), c.req.param("batch"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/file_batches/:batch/cancel`,
      describe("POST /v1/vector_stores/:id/file_batches/:batch/cancel", {
        tag,
        summary: "Refused: a batch is completed when it is answered",
        answer: "VectorStoreBatch",
      }),
      (c) => c.json(stores().cancelBatch(c.req.param("id"), c.req.param("batch"), callerOf(c))),
    )
    .get(
      `${ROOT}/:id/file_batches/:batch/files`,
      describe("GET /v1/vector_stores/:id/file_batches/:batch/files", {
        tag,
        summary: "The files of a batch",
        query: "vectorStoreFiles",
        answer: "VectorStoreFilePage",
      }),
      (c) => c.json(stores().listBatchFiles(c.req.param("id"), c.req.param("batch"), c.req.query(), callerOf(c))),
    )
    .delete(
      `${ROOT}/:id/files/:file`,
      describe("DELETE /v1/vector_stores/:id/files/:file", {
        tag,
        summary: "Takes a file out of a vector store",
        answer: "DeletedVectorStoreFile",
      }),
      (c) => c.json(stores().deleteFile(c.req.param("id"), c.req.param("file"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/search`,
      describe("POST /v1/vector_stores/:id/search", {
        tag,
        summary: "Passages that a question is answered by",
        body: "VectorStoreSearch",
        answer: "VectorStoreResults",
      }),
      async (c) => c.json(await stores().search(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
    )
  app.all(ROOT, onlyMethods("GET", "POST"))
  app.all(`${ROOT}/:id`, onlyMethods("GET", "POST", "DELETE"))
  app.all(`${ROOT}/:id/files`, onlyMethods("GET", "POST"))
  app.all(`${ROOT}/:id/files/:file`, onlyMethods("GET", "POST", "DELETE"))
  app.all(`${ROOT}/:id/files/:file/content`, onlyMethods("GET"))
  app.all(`${ROOT}/:id/file_batches`, onlyMethods("POST"))
  app.all(`${ROOT}/:id/file_batches/:batch`, onlyMethods("GET"))
  app.all(`${ROOT}/:id/file_batches/:batch/cancel`, onlyMethods("POST"))
  app.all(`${ROOT}/:id/file_batches/:batch/files`, onlyMethods("GET"))
  app.all(`${ROOT}/:id/search`, onlyMethods("POST"))
  return app
}
