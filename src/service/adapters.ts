/**
 * @module Adapters over HTTP: load one from a folder of the server, list them, take one away.
 */
import { EspalierError, isEspalierError, rephrased } from "../core/errors.ts"
import type { AdapterInfo } from "../serve/engine-api.ts"
import { confine, realRoot } from "./adapter-path.ts"
import type { ServiceContext } from "./context.ts"
import type { AdapterCard, ListBody } from "./wire.ts"

/** What to load, and as what. */
export interface LoadRequest {
  readonly name: string
  /** Relative to the server's adapters folder, or absolute and inside it. */
  readonly path: string
  /** Put it in the place of an adapter of that name. */
  readonly replace: boolean
}

/** Loaded adapters by name. */
export async function listAdapters(context: ServiceContext): Promise<ListBody<AdapterCard>> {
  const adapters = await context.engine.list()
  return { object: "list", data: adapters.map((adapter) => cardOf(context, adapter)), has_more: false }
}

/** @throws {EspalierError} `not_found` */
export async function retrieveAdapter(context: ServiceContext, name: string): Promise<AdapterCard> {
  const adapter = (await context.engine.list()).find((info) => info.name === name)
  if (adapter === undefined) throw missing(name)
  return cardOf(context, adapter)
}

/**
 * Loads an adapter while everything else goes on.
 * @throws {EspalierError} If name or path are not allowed, the name is taken or a job's model has it, or the folder holds no
 *   usable adapter.
 */
export async function loadAdapter(context: ServiceContext, request: LoadRequest): Promise<AdapterCard> {
  const { engine, adapterRoot } = context
  checkName(request.name, engine.info.base)
  checkNotShelved(context, request.name)
  if (adapterRoot === null) {
    throw new EspalierError("unsupported", "This server loads no adapters by request: it has no adapters folder", {
      hint: "Start it with an adapters folder",
      param: "path",
    })
  }
  const path = await confine(adapterRoot, request.path)
  try {
    return cardOf(context, await engine.load(request.name, { path }, { replace: request.replace }))
  } catch (error) {
    throw isEspalierError(error) ? withoutRoot(error, [await realRoot(adapterRoot), adapterRoot.path]) : error
  }
}

/**
 * Goes back to the version that was replaced, at once; once more undoes it. Generations in flight end on what they have.
 * @throws {EspalierError} `not_found`, or `conflict` where none is kept
 */
export async function rollbackAdapter(context: ServiceContext, name: string): Promise<AdapterCard> {
  try {
    return cardOf(context, await context.engine.rollback(name))
  } catch (error) {
    throw isEspalierError(error, "not_found") ? missing(name) : error
  }
}

/** Takes an adapter away; generations in flight end on it. @throws {EspalierError} `not_found` */
export async function unloadAdapter({ engine }: ServiceContext, name: string): Promise<void> {
  try {
    await engine.unload(name)
  } catch (error) {
    throw isEspalierError(error, "not_found") ? missing(name) : error
  }
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/

/** @throws {EspalierError} `invalid_request` if an adapter can't be called `name`. */
export function checkName(name: string, base: string): void {
  if (!namePattern.test(name) || name.includes("..")) {
    throw new EspalierError(
      "invalid_request",
      "Expected a name of up to 128 letters, digits, dots, colons, dashes and underscores that begins with a letter or digit",
      { param: "name" },
    )
  }
  if (name === base) {
    throw new EspalierError("conflict", `"${name}" is the base's name`, { hint: "Choose another name", param: "name" })
  }
}

/**
 * A job's model is what the job made: put in its place, something else would answer only until memory ran short, and the
 * model itself again after that.
 * @throws {EspalierError} `conflict`
 */
function checkNotShelved({ training }: ServiceContext, name: string): void {
  if (!training?.shelf.find(name)) return
  throw new EspalierError("conflict", `"${name}" is the model of a fine-tuning job`, {
    hint: `Choose another name, or delete it first (DELETE /v1/models/${name})`,
    param: "name",
  })
}

function cardOf({ engine }: ServiceContext, adapter: AdapterInfo): AdapterCard {
  return {
    id: adapter.name,
    object: "adapter",
    hash: adapter.hash,
    method: adapter.method,
    bytes: adapter.sizeBytes,
    parent: engine.info.base,
    previous_hash: adapter.previousHash,
    resident: adapter.resident,
  }
}

function missing(name: string): EspalierError {
  return new EspalierError("not_found", `There is no adapter "${name}"`, { param: "name" })
}

/** The same error, its paths counted from the adapters folder: where that lies is nobody's business. */
function withoutRoot(error: EspalierError, roots: readonly string[]): EspalierError {
  const clean = (text: string): string =>
    roots.reduce((rest, root) => rest.replaceAll(`${root}/`, "").replaceAll(root, "the adapters folder"), text)
  return rephrased(error, { message: clean(error.message), hint: error.hint && clean(error.hint) })
}
