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
  const known = data.find((model) => model.id === id)
  if (known !== undefined) return known
  const checkpoint = context.training?.shelf.find(id)
  if (checkpoint) return shelvedCard(context, checkpoint)
  throw await unknownModel(context, id)
}

/** A model of this server, made at `createdAt` milliseconds since 1970. */
function card(
  { engine }: ServiceContext,
  { id, createdAt, root = id }: { readonly id: string; readonly createdAt: number; readonly root?: string },
): ModelCard {
  const { base, contextLength } = engine.info
  return {
    id,
    object: "model",
    created: toSeconds(createdAt),
    owned_by: "espalier",
    root,
    parent: id === base ? null : base,
    max_model_len: contextLength,
  }
}

const baseCard = (context: ServiceContext): ModelCard =>
  card(context, { id: context.engine.info.base, createdAt: context.startedAt })

/** An adapter that a job made and nobody has asked for yet. */
const shelvedCard = (context: ServiceContext, { name, createdAt }: ShelvedModel): ModelCard =>
  card(context, { id: name, createdAt })

function adapterCard(context: ServiceContext, { name, path, loadedAt }: AdapterInfo): ModelCard {
  const { adapterRoot, training } = context
  const shelved = training?.shelf.find(name)
  if (shelved) return shelvedCard(context, shelved)
  // Where on the server's disk an adapter lies is nobody's business: only what is below the root is told.
  const root = path === null || adapterRoot === null ? null : relativeTo(adapterRoot.path, path)
  return card(context, { id: name, createdAt: loadedAt, ...(root !== null && { root }) })
}
