/**
 * @module /v1/fine_tuning/jobs: create, list, look at, cancel, pause and resume jobs, with their events and checkpoints.
 */
import { type Context, Hono } from "hono"
import { EspalierError } from "../src/core/errors.ts"
import type { JobService } from "../src/service/fine-tuning.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { eventStream } from "./event-stream.ts"
import { readJson } from "./json-body.ts"

const ROOT = "/v1/fine_tuning/jobs"

/** The job routes. */
export function fineTuningRoutes(environment: RouteEnvironment): Hono<AppTypes> {
  const { service, maxBodyBytes } = environment
  const app = new Hono<AppTypes>()
  const jobs = (): JobService => {
    if (service.jobs) return service.jobs
    throw new EspalierError("unsupported", "This server runs no fine-tuning jobs", {
      hint: "Start it with a folder for files and jobs (--store)",
    })
  }
  app.post(ROOT, async (c) => c.json(await jobs().create(await readJson(c, maxBodyBytes), callerOf(c))))
  app.get(ROOT, (c) => c.json(jobs().list(c.req.query(), callerOf(c))))
  app.all(ROOT, onlyMethods("GET", "POST"))
  app.get(`${ROOT}/:id`, (c) => c.json(jobs().retrieve(c.req.param("id"), callerOf(c))))
  app.all(`${ROOT}/:id`, onlyMethods("GET"))
  for (const action of ["cancel", "pause", "resume"] as const) {
    app.post(`${ROOT}/:id/${action}`, (c) => c.json(jobs()[action](c.req.param("id"), callerOf(c))))
    app.all(`${ROOT}/:id/${action}`, onlyMethods("POST"))
  }
  app.get(`${ROOT}/:id/events`, (c) => {
    const id = c.req.param("id")
    return wantsStream(c)
      ? streamEvents(c, id, jobs(), environment)
      : c.json(jobs().events(id, c.req.query(), callerOf(c)))
  })
  app.all(`${ROOT}/:id/events`, onlyMethods("GET"))
  app.get(`${ROOT}/:id/checkpoints`, (c) => c.json(jobs().checkpoints(c.req.param("id"), c.req.query(), callerOf(c))))
  app.all(`${ROOT}/:id/checkpoints`, onlyMethods("GET"))
  return app
}

const wantsStream = (c: Context): boolean =>
  c.req.query("stream") === "true" || /\btext\/event-stream\b/i.test(c.req.header("accept") ?? "")

/** A job's events from the first one, or from `after` on, as they come. */
function streamEvents(
  c: Context<AppTypes>,
  id: string,
  jobs: JobService,
  { keepAliveMs, onError }: RouteEnvironment,
): Response {
  const controller = new AbortController()
  return eventStream(jobs.followEvents(id, c.req.query(), controller.signal, callerOf(c)), {
    headers: {},
    keepAliveMs,
    onCancel: () => controller.abort(),
    onError: (error) => onError(error, c.get("requestId")),
  })
}
