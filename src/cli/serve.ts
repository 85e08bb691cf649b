/**
 * @module `espalier serve`.
 */
import { realpath } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { resolve } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { createApp } from "../../routes/app.ts"
import type { RetrievalMode } from "../answering/decide.ts"
import { createGate } from "../entry/gate.ts"
import { serveHttp } from "../entry/http-server.ts"
import { untilSignal } from "../entry/shutdown.ts"
import { isAddress } from "../presets/adapter-stores.ts"
import { openEngineWorker } from "../presets/open-engine.ts"
import { openProfile } from "../presets/open-profile.ts"
import type { TrainerSettings } from "../presets/run-job.ts"
import type { EngineApi, EngineInfo } from "../serve/engine-api.ts"
import type { AdapterRoot } from "../service/adapter-path.ts"
import { checkName } from "../service/adapters.ts"
import type { RetrievalOptions } from "../service/retrieval-source.ts"
import { createService, type Service } from "../service/service.ts"
import { defineCommand, exitCodes, type Io, type OptionValues } from "./command.ts"
import { count, from, whole } from "./number-range.ts"
import { operationOptions, operationSettings } from "./serve-operation.ts"
import { DEFAULT_STORE, openServedDocuments, openServedStore, openServedTraining } from "./serve-store.ts"
import { embedderOption, engineOptions, engineSettings, namedAdapter } from "./shared-options.ts"

const options = {
  ...engineOptions,
  adapter: {
    type: "list",
    value: "name=folder",
    description: "an adapter to load at once; may be given several times",
  },
  "adapters-root": {
    type: "string",
    value: "folder",
    description:
      "adapters may be loaded over HTTP from below this folder, or from below file:///folder or s3://bucket/prefix",
    default: "adapters-out",
  },
  store: {
    type: "string",
    value: "folder",
    description: "where uploaded files, fine-tuning jobs and their adapters are kept; off for none",
    default: "espalier-store",
  },
  documents: {
    type: "string",
    value: "folder",
    description: "where documents to search are kept; off for none",
    default: "the store's folder",
  },
  embedder: embedderOption,
  retrieval: {
    type: "string",
    description: "whether questions are answered from documents, where a request doesn't say",
    choices: ["off", "always", "auto"],
    default: "off",
  },
  abstention: {
    type: "string",
    description: "what is said where documents have nothing about a question",
    default: "I don't know.",
  },
  "train-threads": {
    type: "number",
    range: count(1024),
    description: "threads of a fine-tuning job",
    default: "half of the machine's cores",
  },
  "prefix-cache": {
    type: "number",
    range: from(0, 2 ** 20),
    value: "MiB",
    description: "memory for computed beginnings of prompts, which later prompts that begin alike take up; 0 for none",
    default: "64",
  },
  "max-adapters": {
    type: "number",
    range: count(100_000),
    description:
      "adapters in memory at most; beyond it, those asked for longest ago give way and are read again when they are asked for",
    default: "256",
  },
  force: {
    type: "boolean",
    description:
      "serve adapters that --max-forgetting held back, or that were trained on another base of the same shapes, too",
  },
  host: {
    type: "string",
    description: "address to listen on; any but 127.0.0.1 needs --api-key",
    default: "127.0.0.1",
  },
  port: { type: "number", range: whole(0, 65_535), description: "port; 0 picks a free one", default: "8000" },
  "api-key": {
    type: "string",
    description: "clients must send it as a bearer token",
    default: "ESPALIER_API_KEY, where it is set",
  },
  ...operationOptions,
  config: {
    type: "string",
    value: "file",
    description: "options from a YAML or JSON file; the command line goes first",
  },
} as const
type Values = OptionValues<typeof options>

export const serveCommand = defineCommand({
  name: "serve",
  summary: "Serves a base and its adapters over HTTP, in OpenAI's shapes.",
  usage: "[options]",
  options,
  examples: [
    "espalier serve",
    "espalier serve --adapter support=adapters-out/support --port 8080",
    "espalier serve --host 0.0.0.0 --api-key $(openssl rand -hex 24)",
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const host = values.host ?? "127.0.0.1"
    const apiKey = values["api-key"] ?? io.env["ESPALIER_API_KEY"]
    const operation = await operationSettings(values, apiKey, io)
    const authenticated = operation.app.keyring !== undefined
    // Whoever asks meanwhile whether it is ready gets an answer.
    const gate = createGate()
    const server = await serveHttp(gate.fetch, { host, port: values.port ?? 8000, authenticated })
    try {
      const { service, engine } = await openServed(values, io)
      gate.open(createApp(service, operation.app).fetch)
      const models = [engine.info.base, ...(await engine.list()).map(({ name }) => name)]
      io.out(
        values.json
          ? `${JSON.stringify({ type: "listening", url: server.url, models })}\n`
          : `Serving ${models.join(", ")} on ${server.url}/v1, backend ${engine.info.backend}\nStop with Ctrl-C\n`,
      )
      await untilSignal(
        async (signal) => {
          gate.retire()
          // Requests come until word of that has gone round; at a keyboard nobody waits for it.
          if (signal === "SIGTERM") await delay(operation.delayMs)
          // A run that stops at its checkpoint meanwhile, and streams of events that end, keep nobody waiting.
          await Promise.all([service.jobs?.close(operation.drainMs), server.close(operation.drainMs)])
          await service.close()
        },
        (name) => io.err(`\n${name}: finishing what is in flight. Once more ends at once\n`),
      )
      return exitCodes.ok
    } finally {
      await server.close(0)
    }
  },
})

/** Loads everything that is served. */
async function openServed(values: Values, io: Io): Promise<{ service: Service; engine: EngineApi }> {
  const engine = await openEngineWorker({
    ...engineSettings(values),
    ...(values["prefix-cache"] !== undefined && { prefixCacheBytes: Math.floor(values["prefix-cache"] * 2 ** 20) }),
    ...(values["max-adapters"] !== undefined && { maxAdapters: values["max-adapters"] }),
    force: values.force === true,
  })
  try {
    for (const text of values.adapter ?? []) {
      const { name, path } = namedAdapter(text)
      checkName(name, engine.info.base)
      await engine.load(name, { path: isAddress(path) ? path : resolve(path) })
    }
    const kept = await openServedStore(values.store, io)
    const training = kept && (await openServedTraining(kept, engine, trainerSettings(values)))
    const { base } = engineSettings(values)
    const documents = await openServedDocuments(
      values.documents,
      { store: values.store, base, embedder: values.embedder, engine },
      io,
    )
    const service = createService({
      engine,
      ...(documents && { documents, retrieval: await retrievalSettings(values, engine.info) }),
      ...(kept && { store: kept.store }),
      ...(training && { training }),
      adapterRoot: adapterRoot(values["adapters-root"] ?? "adapters-out"),
    })
    return { service, engine }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** How questions are answered from documents. */
async function retrievalSettings(values: Values, { baseHash }: EngineInfo): Promise<RetrievalOptions> {
  const { base } = engineSettings(values)
  const documents = values.documents ?? values.store ?? DEFAULT_STORE
  return {
    profile: await openProfile({ documents, base, baseHash }),
    mode: (values.retrieval ?? "off") as RetrievalMode,
    ...(values.abstention !== undefined && { abstention: values.abstention }),
  }
}

/** Where adapters may be loaded from by request; a store has no links that could lead out of it. */
const adapterRoot = (given: string): AdapterRoot =>
  isAddress(given) ? { path: given } : { path: resolve(given), realPath: realpath }

/** How jobs are trained: as the engine computes, on fewer threads. */
function trainerSettings(values: Values): Omit<TrainerSettings, "store"> {
  const threads = values["train-threads"] ?? Math.max(1, Math.floor(availableParallelism() / 2))
  const { base, backend, quantize } = engineSettings(values)
  return { base, backend, threads, ...(quantize && { quantize }), force: values.force === true }
}
