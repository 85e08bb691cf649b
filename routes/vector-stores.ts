/**
 * @module /v1/vector_stores: collections of documents under OpenAI's names.
 */
import { Hono } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import type { VectorStoreService } from "../src/service/vector-stores.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"

const ROOT = "/v1/vector_stores"

/** The routes of vector stores. */
export function vectorStoreRoutes({ service, maxBodyBytes }: RouteEnvironment): Hono<AppTypes> {
  const app = new Hono<AppTypes>()
  const stores = (): VectorStoreService => {
    if (service.vectorStores) return service.vectorStores
    throw new EspalierError("unsupported", "This server keeps no vector stores", {
      hint: "Start it with folders for files and documents (--store, --documents)",
    })
  }
  app.post(ROOT, async (c) => c.json(await stores().create(await readJson(c, maxBodyBytes), callerOf(c))))
  app.get(ROOT, (c) => c.json(stores().list(c.req.query(), callerOf(c))))
  app.all(ROOT, onlyMethods("GET", "POST"))
  app.get(`${ROOT}/:id`, (c) => c.json(stores().retrieve(c.req.param("id"), callerOf(c))))
  app.post(`${ROOT}/:id`, async (c) =>
    c.json(stores().modify(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
  )
  app.delete(`${ROOT}/:id`, (c) => c.json(stores().delete(c.req.param("id"), callerOf(c))))
  app.all(`${ROOT}/:id`, onlyMethods("GET", "POST", "DELETE"))
  app.post(`${ROOT}/:id/files`, async (c) =>
    c.json(await stores().addFile(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
  )
  app.get(`${ROOT}/:id/files`, (c) => c.json(stores().listFiles(c.req.param("id"), c.req.query(), callerOf(c))))
  app.all(`${ROOT}/:id/files`, onlyMethods("GET", "POST"))
  app.get(`${ROOT}/:id/files/:file`, (c) =>
    c.json(stores().retrieveFile(c.req.param("id"), c.req.param("file"), callerOf(c))),
  )
  app.delete(`${ROOT}/:id/files/:file`, (c) =>
    c.json(stores().deleteFile(c.req.param("id"), c.req.param("file"), callerOf(c))),
  )
  app.all(`${ROOT}/:id/files/:file`, onlyMethods("GET", "DELETE"))
  app.post(`${ROOT}/:id/search`, async (c) =>
    c.json(await stores().search(c.req.param("id"), await readJson(c, maxBodyBytes), callerOf(c))),
  )
  app.all(`${ROOT}/:id/search`, onlyMethods("POST"))
  return app
}
