/**
 * @module Tenants: each sees the base, its own adapters and those that are everybody's. A tenant's requests go through a
 * view of the engine and of the shelf in which other tenants' adapters do not exist.
 */
import { EspalierError } from "../core/errors.ts"
import type { AdapterShelf } from "../jobs/adapter-shelf.ts"
import { ownerOfModel } from "../jobs/job-table.ts"
import { expressionParts, parseExpression } from "../merge/expression.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import type { ServiceContext } from "./context.ts"
import { isLoaded } from "./loaded.ts"
import { createLoraState, type LoraState } from "./lora-state.ts"
import type { ShelfLoader } from "./shelf-loader.ts"

/** Whose adapters are whose. */
export interface Tenants {
  /** The context as `tenant` sees it; null sees everything, as the operator does. */
  view(tenant: string | null): ServiceContext
}

/** Over a service's own context. */
export function createTenants(context: ServiceContext): Tenants {
  /** Of adapters that were loaded by request; what no tenant loaded is everybody's. */
  const owners = new Map<string, string>()
  /** What each tenant's adapters weigh. */
  const scales = new Map<string, LoraState>()
  const ownerOf = (name: string): string =>
    (context.store && ownerOfModel(context.store.database, name)) ?? owners.get(name) ?? ""
  const operator: ServiceContext = { ...context, engine: operatorEngine(context.engine, owners) }
  return {
    view(tenant) {
      if (tenant === null) return operator
      const engine = tenantEngine(context.engine, tenant, owners, ownerOf)
      const loras = scales.get(tenant) ?? createLoraState()
      scales.set(tenant, loras)
      const { training } = context
      if (training === null) return { ...context, engine, loras }
      const sees = visibleTo(tenant, ownerOf)
      const shelf = context.shelf && tenantLoader(context.shelf, sees)
      return { ...context, engine, loras, shelf, training: { ...training, shelf: tenantShelf(training.shelf, sees) } }
    },
  }
}

function operatorEngine(inner: EngineApi, owners: Map<string, string>): EngineApi {
  return {
    ...inner,
    async unload(name) {
      await inner.unload(name)
      owners.delete(name)
    },
  }
}

function tenantEngine(
  inner: EngineApi,
  tenant: string,
  owners: Map<string, string>,
  ownerOf: (name: string) => string,
): EngineApi {
  const sees = visibleTo(tenant, ownerOf)
  const check = (adapter: string | null): void => {
    if (adapter === null) return
    const names = parseExpression(adapter)?.map(({ name }) => name) ?? [adapter]
    const hidden = names.find((name) => !sees(name))
    if (hidden !== undefined)
      throw new EspalierError("not_found", `The model "${hidden}" does not exist`, { param: "model" })
  }
  return {
    ...inner,
    list: async () => (await inner.list()).filter(({ name }) => sees(name)),
    async generate(request, options) {
      check(request.adapter)
      // Who is faster because somebody else asked the same learns what that was.
      return inner.generate({ ...request, cacheSalt: `tenant:${tenant}` }, options)
    },
    async embed(request, options) {
      check(request.adapter)
      return inner.embed(request, options)
    },
    async load(name, source, options) {
      const taken = await isLoaded(inner, name)
      // From here to where it is reserved nobody else has a turn.
      const owner = ownerOf(name)
      if (owner === "" ? taken : owner !== tenant)
        throw new EspalierError("conflict", `The name "${name}" is taken`, {
          hint: "Choose another name",
          param: "name",
        })
      owners.set(name, tenant)
      try {
        return await inner.load(name, source, options)
      } catch (error) {
        if (owner === "" && !(await isLoaded(inner, name))) owners.delete(name)
        throw error
      }
    },
    async rollback(name) {
      if (!sees(name)) throw new EspalierError("not_found", `There is no adapter "${name}"`, { param: "name" })
      if (ownerOf(name) !== tenant && (await isLoaded(inner, name)))
        throw new EspalierError("conflict", `The adapter "${name}" is everybody's: only the operator may change it`, {
          param: "name",
        })
      return inner.rollback(name)
    },
    async unload(name) {
      if (!sees(name)) throw new EspalierError("not_found", `There is no adapter "${name}"`, { param: "name" })
      if (ownerOf(name) !== tenant && (await isLoaded(inner, name)))
        throw new EspalierError("conflict", `The adapter "${name}" is everybody's: only the operator may unload it`, {
          param: "name",
        })
      await inner.unload(name)
      owners.delete(name)
    },
  }
}

function tenantShelf(inner: AdapterShelf, sees: (name: string) => boolean): AdapterShelf {
  return {
    ...inner,
    find: (name) => (sees(name) ? inner.find(name) : null),
    list: () => inner.list().filter(({ name }) => sees(name)),
  }
}

/** Loads nothing that names another tenant's model, alone or in a merge. */
function tenantLoader(inner: ShelfLoader, sees: (name: string) => boolean): ShelfLoader {
  const seesAll = (asked: string): boolean => expressionParts(asked).every(sees)
  return {
    ...inner,
    knows: (asked) => seesAll(asked) && inner.knows(asked),
  }
}

function visibleTo(tenant: string, ownerOf: (name: string) => string): (name: string) => boolean {
  return (name) => {
    const owner = ownerOf(name)
    return owner === "" || owner === tenant
  }
}
