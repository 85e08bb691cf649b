/**
 * @module Tenants: each sees the base, its own adapters and those that are everybody's. A tenant's requests go through a
 * view of the engine and of the shelf in which other tenants' adapters do not exist.
 */
import { EspalierError } from "../core/errors.ts"
import type { AdapterShelf } from "../jobs/adapter-shelf.ts"
import { ownerOfModel } from "../jobs/job-table.ts"
import { parseExpression } from "../merge/expression.ts"
import type { EngineApi } from "../serve/engine-api.ts"
import type { ServiceContext } from "./context.ts"

/** Whose adapters are whose. */
export interface Tenants {
  /** The context as `tenant` sees it; null sees everything, as the operator does. */
  view(tenant: string | null): ServiceContext
}

/** Over a service's own context. */
export function createTenants(context: ServiceContext): Tenants {
  /** Of adapters that were loaded by request; what no tenant loaded is everybody's. */
  const owners = new Map<string, string>()
  const ownerOf = (name: string): string =>
    (context.store && ownerOfModel(context.store.database, name)) ?? owners.get(name) ?? ""
  const operator: ServiceContext = { ...context, engine: operatorEngine(context.engine, owners) }
  return {
    view(tenant) {
      if (tenant === null) return operator
      const engine = tenantEngine(context.engine, tenant, owners, ownerOf)
      const { training } = context
      if (training === null) return { ...context, engine }
      return { ...context, engine, training: { ...training, shelf: tenantShelf(training.shelf, tenant, ownerOf) } }
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
  const sees = (name: string): boolean => {
    const owner = ownerOf(name)
    return owner === "" || owner === tenant
  }
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

const isLoaded = async (engine: EngineApi, name: string): Promise<boolean> =>
  (await engine.list()).some((adapter) => adapter.name === name)

function tenantShelf(inner: AdapterShelf, tenant: string, ownerOf: (name: string) => string): AdapterShelf {
  const sees = (name: string): boolean => {
    const owner = ownerOf(name)
    return owner === "" || owner === tenant
  }
  return {
    ...inner,
    find: (name) => (sees(name) ? inner.find(name) : null),
    list: () => inner.list().filter(({ name }) => sees(name)),
  }
}
