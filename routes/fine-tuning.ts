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
import { describe } from "./openapi/describe.ts"

const ROOT = "/v1/fine_tuning/jobs"
const tag = "Fine-tuning"

/** The job routes. */
export function fineTuningRoutes(environment: RouteEnvironment) {
  const { service, maxBodyBytes } = environment
  const jobs = (): JobService => {
    if (service.jobs) return service.jobs
    throw new EspalierError("unsupported", "This server runs no fine-tuning jobs", {
      hint: "Start it with a folder for files and jobs (--store)",
    })
  }
  const app = new Hono<AppTypes>()
    .post(
      ROOT,
      describe("POST /v1/fine_tuning/jobs", {
        tag,
        once: true,
        summary: "Trains an adapter while the server serves",
        body: "JobRequest",
        answer: "JobObject",
      }),
      async (c) => c.json(await jobs().create(await readJson(c, maxBodyBytes), callerOf(c))),
    )
    .get(
      ROOT,
      describe("GET /v1/fine_tuning/jobs", {
        tag,
        summary: "Jobs, the newest first",
        query: "jobs",
        answer: "JobPage",
      }),
      (c) => c.json(jobs().list(c.req.query(), callerOf(c))),
    )
    .get(`${ROOT}/:id`, describe("GET /v1/fine_tuning/jobs/:id", { tag, summary: "A job", answer: "JobObject" }), (c) =>
      c.json(jobs().retrieve(c.req.param("id"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/cancel`,
      describe("POST /v1/fine_tuning/jobs/:id/cancel", { tag, summary: "Ends a job", answer: "JobObject" }),
      (c) => c.json(jobs().cancel(c.req.param("id"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/pause`,
      describe("POST /v1/fine_tuning/jobs/:id/pause", {
        tag,
        summary: "Stops a job at its next checkpoint",
        answer: "JobObject",
      }),
      (c) => c.json(jobs().pause(c.req.param("id"), callerOf(c))),
    )
    .post(
      `${ROOT}/:id/resume`,
      describe("POST /v1/fine_tuning/jobs/:id/resume", {
        tag,
        summary: "Goes on with a paused job",
        answer: "JobObject",
      }),
      (c) => c.json(jobs().resume(c.req.param("id"), callerOf(c))),
    )
    .get(
      `${ROOT}/:id/events`,
      describe("GET /v1/fine_tuning/jobs/:id/events", {
        tag,
        summary: "A job's events",
        description: "As they come with `stream=true`, or where `Accept` asks for `text/event-stream`.",
        query: "events",
        answer: "JobEventPage",
        stream: "JobEvent",
      }),
      (c) => {
        const id = c.req.param("id")
        if (wantsStream(c)) return streamEvents(c, id, jobs(), environment)
        return c.json(jobs().events(id, c.req.query(), callerOf(c)))
      },
    )
    .get(
      `${ROOT}/:id/checkpoints`,
      describe("GET /v1/fine_tuning/jobs/:id/checkpoints", {
        tag,
        summary: "A job's checkpoints",
        query: "jobs",
        answer: "JobCheckpointPage",
      }),
      (c) => c.json(jobs().checkpoints(c.req.param("id"), c.req.query(), callerOf(c))),
    )
  app.all(ROOT, onlyMethods("GET", "POST"))
  app.all(`${ROOT}/:id`, onlyMethods("GET"))
  for (const action of ["cancel", "pause", "resume"]) app.all(`${ROOT}/:id/${action}`, onlyMethods("POST"))
  app.all(`${ROOT}/:id/events`, onlyMethods("GET"))
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
