/**
 * @module llama.cpp's way with adapters: a list with ids and scales, scales for all requests to the base, and scales for
 * one request.
 *
 * Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (`/lora-adapters`, `lora`).
 */
import type * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import { checked } from "./check.ts"
import type { ServiceContext } from "./context.ts"
import { type ChatRequest, type CompletionRequest, type LoraAdapter, loraScales } from "./wire.ts"

/** Loaded adapters by id. */
export async function listLoras({ engine, loras }: ServiceContext): Promise<readonly LoraAdapter[]> {
  const adapters = (await engine.list()).toSorted((a, b) => a.loadedAt - b.loadedAt)
  return adapters
    .map(({ name }) => ({
      id: loras.idOf(name),
      path: name,
      scale: loras.scaleOf(name),
      task_name: "" as const,
      prompt_prefix: "" as const,
    }))
    .sort((a, b) => a.id - b.id)
}

/** Sets what adapters weigh; those that are not named weigh nothing from then on. */
export async function scaleLoras(context: ServiceContext, body: unknown): Promise<void> {
  context.loras.setScales(await scalesOf(context, checked(loraScales, body), ""))
}

/**
 * What answers a request: its model, or the adapters that it weighs over the base; null for the bare base.
 * @throws {EspalierError} `invalid_request` for an id that is none, or for a model and weights at once
 */
export async function adapterOf(
  context: ServiceContext,
  { model, lora }: Pick<ChatRequest | CompletionRequest, "model" | "lora">,
): Promise<string | null> {
  const { base } = context.engine.info
  if (lora == null) return model === base ? standingMix(context) : model
  if (model !== base) {
    throw new EspalierError(
      "invalid_request",
      `\`lora\` weighs adapters over the base, and \`model\` names an adapter`,
      {
        hint: `Send "${base}" as the model`,
        param: "lora",
      },
    )
  }
  return expressionOf(await scalesOf(context, lora, "lora."))
}

/** The mix that stands for all requests to the base, of what is still loaded. */
async function standingMix(context: ServiceContext): Promise<string | null> {
  if (!context.loras.any) return null
  const there = (await listLoras(context)).filter(({ scale }) => scale !== 0)
  return expressionOf(new Map(there.map(({ path, scale }) => [path, scale])))
}

/** Names and weights. */
async function scalesOf(
  context: ServiceContext,
  given: v.InferOutput<typeof loraScales>,
  prefix: string,
): Promise<ReadonlyMap<string, number>> {
  const known = new Map((await listLoras(context)).map(({ id, path }) => [id, path]))
  const scales = new Map<string, number>()
  for (const [at, { id, scale }] of given.entries()) {
    const name = known.get(id)
    if (name === undefined) {
      throw new EspalierError("invalid_request", `There is no adapter of the id ${id}`, {
        hint: "GET /lora-adapters lists them",
        param: `${prefix}${at}.id`,
      })
    }
    scales.set(name, (scales.get(name) ?? 0) + scale)
  }
  return scales
}

/** A merge by request; an adapter alone at its full weight is no merge. */
function expressionOf(scales: ReadonlyMap<string, number>): string | null {
  const terms = [...scales].filter(([, scale]) => scale !== 0)
  const [first] = terms
  if (first === undefined) return null
  if (terms.length === 1 && first[1] === 1) return first[0]
  return terms.map(([name, scale]) => `${name}*${scale}`).join("+")
}
