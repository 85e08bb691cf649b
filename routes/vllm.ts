/**
 * @module POST /v1/load_lora_adapter and /v1/unload_lora_adapter, as vLLM has them: plain text where it went well.
 */
import { Hono } from "hono"
import { EspalierError, isEspalierError, rephrased } from "../src/core/errors.ts"
import { checked } from "../src/service/check.ts"
import { vllmLoadRequest, vllmUnloadRequest } from "../src/service/wire.ts"
import { callerOf } from "./caller.ts"
import { type AppTypes, onlyMethods, type RouteEnvironment } from "./environment.ts"
import { readJson } from "./json-body.ts"
import { describe } from "./openapi/describe.ts"

const tag = "Adapters"

/** Our fields by vLLM's names. */
const vllmNames: Readonly<Record<string, string>> = { name: "lora_name", path: "lora_path" }

/** vLLM's adapter routes. */
export function vllmRoutes({ service, maxBodyBytes }: RouteEnvironment) {
  const app = new Hono<AppTypes>()
    .post(
      "/v1/load_lora_adapter",
      describe("POST /v1/load_lora_adapter", {
        tag,
        once: true,
        summary: "Loads an adapter, as vLLM has it",
        body: "LoadLoraRequest",
        answer: { type: "text/plain" },
      }),
      async (c) => {
        const request = checked(vllmLoadRequest, await readJson(c, maxBodyBytes))
        const { lora_name: name, lora_path: path, load_inplace: replace } = request
        await service.loadAdapter({ name, path, replace }, callerOf(c)).catch((error) => {
          throw inVllmTerms(error)
        })
        return c.text(`Success: LoRA adapter '${name}' added successfully.`)
      },
    )
    .post(
      "/v1/unload_lora_adapter",
      describe("POST /v1/unload_lora_adapter", {
        tag,
        summary: "Unloads an adapter, as vLLM has it",
        body: "UnloadLoraRequest",
        answer: { type: "text/plain" },
      }),
      async (c) => {
        const { lora_name: name } = checked(vllmUnloadRequest, await readJson(c, maxBodyBytes))
        await service.unloadAdapter(name, callerOf(c)).catch((error) => {
          throw inVllmTerms(error)
        })
        return c.text(`Success: LoRA adapter '${name}' removed successfully.`)
      },
    )
  app.all("/v1/load_lora_adapter", onlyMethods("POST"))
  app.all("/v1/unload_lora_adapter", onlyMethods("POST"))
  return app
}

/** The same error with vLLM's field names, and with its status 400 where the name is taken. */
function inVllmTerms(error: unknown): unknown {
  if (!isEspalierError(error)) return error
  if (error.code === "conflict" && error.param === "name") {
    const hint = error.hint?.replace("ask to replace it", "set 'load_inplace' to true")
    return new EspalierError("invalid_request", error.message, {
      ...(hint !== undefined && { hint }),
      param: "lora_name",
    })
  }
  const { param } = error
  return rephrased(error, param === undefined ? {} : { param: vllmNames[param] ?? param })
}
