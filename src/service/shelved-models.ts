/**
 * @module Models that jobs made: loaded when they are first asked for, deleted by request.
 */
import { EspalierError } from "../core/errors.ts"
import { removeCheckpoint } from "../jobs/event-table.ts"
import { markModelDeleted } from "../jobs/job-table.ts"
import { isCheckpointName } from "../jobs/model-name.ts"
import type { ServiceContext } from "./context.ts"
import { unknownModel } from "./generate.ts"
import type { DeletedBody } from "./jobs-wire.ts"
import { isLoaded, unloadIfThere } from "./loaded.ts"

/**
 * Deletes a model that a job made; answers in flight end on it.
 * @throws {EspalierError} `not_found`, or `conflict` for the base and for an adapter that came from elsewhere.
 */
export async function deleteModel(context: ServiceContext, id: string): Promise<DeletedBody<"model">> {
  const { engine, training, store } = context
  if (id === engine.info.base) {
    throw new EspalierError("conflict", "The base can't be deleted: this server is made for it", { param: "model" })
  }
  if (!training?.shelf.find(id) || !store) {
    if (!(await isLoaded(engine, id))) throw await unknownModel(context, id)
    throw new EspalierError("conflict", `"${id}" was not made by a fine-tuning job of this server`, {
      param: "model",
      hint: `DELETE /v1/adapters/${id} unloads it`,
    })
  }
  // First of all it is remembered: a crash from here on leaves a folder, which is removed at the next start.
  if (isCheckpointName(id)) removeCheckpoint(store.database, id)
  else markModelDeleted(store.database, id)
  await unloadIfThere(engine, id)
  await training.shelf.remove(id)
  return { id, object: "model", deleted: true }
}
