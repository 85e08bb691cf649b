/**
 * @module GET /v1/models: the base and every loaded adapter, adapters with the base as their parent.
 */
import type { ShelvedModel } from "../jobs/adapter-shelf.ts"
import { isCheckpointName } from "../jobs/model-name.ts"
import type { AdapterInfo } from "../serve/engine-api.ts"
import { relativeTo } from "./adapter-path.ts"
import { type ServiceContext, toSeconds } from "./context.ts"
import { unknownModel } from "./generate.ts"
import type { ListBody, ModelCard } from "./wire.ts"

/** The base first, then adapters by name. */
export async function listModels(context: ServiceContext): Promise<ListBody<ModelCard>> {
  const adapters = await context.engine.list()
  const cards = adapters.map((adapter) => adapterCard(context, adapter))
  const loaded = new Set(adapters.map(({ name }) => name))
  for (const model of context.training?.shelf.list() ?? []) {
    if (!loaded.has(model.name) && !isCheckpointName(model.name)) cards.push(shelvedCard(context, model))
  }
  cards.sort((a, b) => (a.id < b.id ? -1 : 1))
  return { object: "list", data: [baseCard(context), ...cards], has_more: false }
}

/** @throws {EspalierError} `not_found` that names the models there are */
export async function retrieveModel(context: ServiceContext, id: string): Promise<ModelCard> {
  const { data } = await listModels(context)
  const card = data.find((model) => model.id === id)
  if (card !== undefined) return card
  const checkpoint = context.training?.shelf.find(id)
  if (checkpoint) return shelvedCard(context, checkpoint)
  throw await unknownModel(context, id)
}

function baseCard({ engine, startedAt }: ServiceContext): ModelCard {
  const { base, contextLength } = engine.info
  return {
    id: base,
    object: "model",
    created: toSeconds(startedAt),
    owned_by: "espalier",
    root: base,
    parent: null,
    max_model_len: contextLength,
  }
}

/** An adapter that a job made and nobody has asked for yet. */
function shelvedCard({ engine }: ServiceContext, { name, createdAt }: ShelvedModel): ModelCard {
  const { base, contextLength } = engine.info
  return {
    id: name,
    object: "model",
    created: toSeconds(createdAt),
    owned_by: "espalier",
    root: name,
    parent: base,
    max_model_len: contextLength,
  }
}

function adapterCard(context: ServiceContext, adapter: AdapterInfo): ModelCard {
  const { engine, adapterRoot, training } = context
  const shelved = training?.shelf.find(adapter.name)
  if (shelved) return shelvedCard(context, shelved)
  // Where on the server's disk an adapter lies is nobody's business: only what is below the root is told.
  const root = adapter.path === null || adapterRoot === null ? null : relativeTo(adapterRoot.path, adapter.path)
  return {
    id: adapter.name,
    object: "model",
    created: toSeconds(adapter.loadedAt),
    owned_by: "espalier",
    root: root ?? adapter.name,
    parent: engine.info.base,
    max_model_len: engine.info.contextLength,
  }
}
