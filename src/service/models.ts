/**
 * @module GET /v1/models: the base and every loaded adapter, adapters with the base as their parent.
 */
import type { AdapterInfo } from "../serve/engine-api.ts"
import { relativeTo } from "./adapter-path.ts"
import { type ServiceContext, toSeconds } from "./context.ts"
import { unknownModel } from "./generate.ts"
import type { ListBody, ModelCard } from "./wire.ts"

/** The base first, then adapters by name. */
export async function listModels(context: ServiceContext): Promise<ListBody<ModelCard>> {
  const adapters = await context.engine.list()
  const data = [baseCard(context), ...adapters.map((adapter) => adapterCard(context, adapter))]
  return { object: "list", data, has_more: false }
}

/** @throws {EspalierError} `not_found` that names the models there are */
export async function retrieveModel(context: ServiceContext, id: string): Promise<ModelCard> {
  const { data } = await listModels(context)
  const card = data.find((model) => model.id === id)
  if (card === undefined) throw await unknownModel(context, id)
  return card
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

function adapterCard({ engine, adapterRoot }: ServiceContext, adapter: AdapterInfo): ModelCard {
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
