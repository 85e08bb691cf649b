/**
 * @module Low-rank updates of layers that read the same input, side by side: [q, k, v] and [gate, up] have two products
 * and one addition between them in place of six and three, at each layer and token. A of a group is the layers' own one
 * after the other, as files have them; B is turned around, with each one's in its rows and columns and zeros elsewhere.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form, LowrankForm } from "../forms/form.ts"
import { sideBySide } from "../merge/cat-forms.ts"
import type { Base } from "../models/base.ts"
import type { LinearSite } from "../models/site.ts"

/** Layers that read the same input, or one that shares its input with none. */
export interface LowrankGroup {
  /** Their paths; no two groups have the same. */
  readonly name: string
  /** What they do: groups of the same are in every layer of the base. */
  readonly roles: string
  readonly sites: readonly LinearSite[]
}

/** The linear layers that forms may sit on. */
export const servedLinears = ({ architecture, config }: Base): LinearSite[] =>
  architecture.sites(config).filter((site): site is LinearSite => site.kind === "linear" && site.role !== "head")

const groups = new WeakMap<Base, LowrankGroup[]>()

/** A base's groups: layers whose weights lie side by side, as those do that are computed in one product. */
export function lowrankGroups(base: Base): LowrankGroup[] {
  const known = groups.get(base)
  if (known) return known
  const sites = new Map(servedLinears(base).map((site) => [`${site.path}.weight`, site]))
  const found = base.architecture.weights(base.config).flatMap(({ parts }) => {
    const own = parts.flatMap(({ name }) => sites.get(name) ?? [])
    return own.length === 0 ? [] : [groupOf(own)]
  })
  groups.set(base, found)
  return found
}

const groupOf = (sites: readonly LinearSite[]): LowrankGroup => ({
  name: sites.map(({ path }) => path).join("+"),
  roles: sites.map(({ role }) => role).join("+"),
  sites,
})

/**
 * What forms amount to at a group: A [rank, in] and B [rank, out of all], scales multiplied into B, the rank that of all
 * forms together; zeros of rank 1 without any.
 */
export function groupFactors({ sites }: LowrankGroup, forms: readonly Form[]): { a: Tensor<"f32">; b: Tensor<"f32"> } {
  const of = (path: string): LowrankForm | null => {
    const found = forms.filter((form): form is LowrankForm => form.form === "lowrank" && form.path === path)
    return found.length > 0 ? sideBySide(found) : null
  }
  const updates = sites.map(({ path }) => of(path))
  const rank = Math.max(
    1,
    updates.reduce((sum, update) => sum + (update?.a.shape[0] ?? 0), 0),
  )
  const inFeatures = sites[0]!.inFeatures
  const width = sites.reduce((sum, { outFeatures }) => sum + outFeatures, 0)
  const a = new Float32Array(rank * inFeatures)
  const b = new Float32Array(rank * width)
  let [row, column] = [0, 0]
  for (const [i, { outFeatures }] of sites.entries()) {
    const update = updates[i]
    if (update) {
      const own = update.a.shape[0]!
      a.set(update.a.data, row * inFeatures)
      turned(update.b, { into: b, width, at: row * width + column, scale: update.scale })
      row += own
    }
    column += outFeatures
  }
  return { a: f32([rank, inFeatures], a), b: f32([rank, width], b) }
}

/** Writes a matrix [m, n] as [n, m] into a wider one, from an element on. */
function turned(
  { shape, data }: Tensor<"f32">,
  { into, width, at, scale }: { into: Float32Array; width: number; at: number; scale: number },
): void {
  const [m, n] = shape as [number, number]
  for (let j = 0; j < n; j++) for (let i = 0; i < m; i++) into[at + j * width + i] = scale * data[i * n + j]!
}
