/**
 * @module Low-rank updates of layers that read the same input, side by side: [q, k, v] and [gate, up] have two products
 * and one addition between them in place of six and three, at each layer and token. Both factors are turned around, [in, r] and
 * [r, out]: kernels of one row read A from front to back then. From memory, A of q, k and v of eight adapters of rank 8 takes 23 us
 * on x64 in place of 44 as files have it, [r, in]. Where the outputs of all layers are a few blocks of
 * one width (gate and up, or q, k and v, of which q is as wide as some heads of k), B is one small matrix for each block;
 * elsewhere one for all, with each layer's in its rows and columns and zeros in the others.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form, LowrankForm } from "../forms/form.ts"
import { sideBySide } from "../merge/cat-forms.ts"
import type { Base } from "../models/base.ts"
import type { LinearSite } from "../models/site.ts"
import { apart, type Room } from "./room-for-values.ts"
import type { RowMatrix } from "./row-bank.ts"

/** Layers that read the same input, or one that shares its input with none. */
export interface LowrankGroup {
  /** Their paths; no two groups have the same. */
  readonly name: string
  /** What they do: groups of the same are in every layer of the base. */
  readonly roles: string
  readonly sites: readonly LinearSite[]
  /** The inputs that its factors are fed by. */
  readonly inputs: { readonly a: string; readonly b: string }
  /** The outputs of several layers, cut into blocks of one width; null for a layer alone, and where there would be many. */
  readonly blocks: OutputBlocks | null
}

/** Blocks of outputs. */
export interface OutputBlocks {
  readonly width: number
  /** The number of the layer that each block is of, in order. */
  readonly sites: readonly number[]
}

/** Blocks of a group at most: each is a product of its own, of a few columns where they are many. */
const MOST_BLOCKS = 8

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

const groupOf = (sites: readonly LinearSite[]): LowrankGroup => {
  const name = sites.map(({ path }) => path).join("+")
  return {
    name,
    roles: sites.map(({ role }) => role).join("+"),
    sites,
    inputs: { a: `a.${name}`, b: `b.${name}` },
    blocks: outputBlocks(sites.map(({ outFeatures }) => outFeatures)),
  }
}

/** The blocks of layers as wide as these. */
export function outputBlocks(widths: readonly number[]): OutputBlocks | null {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  const width = widths.reduce(divisor)
  const sites = widths.flatMap((own, site) => new Array<number>(own / width).fill(site))
  return widths.length > 1 && sites.length <= MOST_BLOCKS ? { width, sites } : null
}

/** What is fed for a group: scales are multiplied into B. */
export interface GroupFactors {
  readonly a: RowMatrix
  readonly b: RowMatrix
}

/**
 * What forms amount to at a group: with blocks A [in, layers * rank] and B [blocks, rank, width], the rank the largest of the
 * layers'; without, A [in, rank] and B [rank, out of all], the rank that of all layers together. Zeros of rank 1 without forms.
 * @param room where both are to lie
 */
export function groupFactors(
  { sites, blocks }: Pick<LowrankGroup, "sites" | "blocks">,
  forms: readonly Form[],
  room: Room = apart,
): GroupFactors {
  const of = (path: string): LowrankForm | null => {
    const found = forms.filter((form): form is LowrankForm => form.form === "lowrank" && form.path === path)
    return found.length > 0 ? sideBySide(found) : null
  }
  const updates = sites.map(({ path }) => of(path))
  return blocks ? blockFactors(sites, blocks, updates, room) : joinedFactors(sites, updates, room)
}

type Updates = readonly (LowrankForm | null)[]

const rankOf = (update: LowrankForm | null): number => update?.a.shape[0] ?? 0

function blockFactors(sites: readonly LinearSite[], blocks: OutputBlocks, updates: Updates, room: Room): GroupFactors {
  const { inFeatures } = sites[0]!
  const { width } = blocks
  const rank = Math.max(1, ...updates.map(rankOf))
  const columns = sites.length * rank
  const a = room(inFeatures * columns)
  for (const [i, update] of updates.entries())
    if (update) turned(update.a, { into: a, width: columns, at: i * rank, scale: 1 })
  const b = room(blocks.sites.length * rank * width)
  for (const [block, site] of blocks.sites.entries()) {
    const update = updates[site]
    if (!update) continue
    // The layer's own outputs from `first` on.
    const first = (block - blocks.sites.indexOf(site)) * width
    const own = rankOf(update)
    const rows = f32([width, own], update.b.data.subarray(first * own, (first + width) * own))
    turned(rows, { into: b, width, at: block * rank * width, scale: update.scale })
  }
  return {
    a: { ...f32([inFeatures, columns], a), parts: sites.length },
    b: f32([blocks.sites.length, rank, width], b),
  }
}

function joinedFactors(sites: readonly LinearSite[], updates: Updates, room: Room): GroupFactors {
  const { inFeatures } = sites[0]!
  const rank = Math.max(
    1,
    updates.reduce((sum, update) => sum + rankOf(update), 0),
  )
  const width = sites.reduce((sum, { outFeatures }) => sum + outFeatures, 0)
  const a = room(inFeatures * rank)
  const b = room(rank * width)
  let [row, column] = [0, 0]
  for (const [i, { outFeatures }] of sites.entries()) {
    const update = updates[i]
    if (update) {
      turned(update.a, { into: a, width: rank, at: row, scale: 1 })
      turned(update.b, { into: b, width, at: row * width + column, scale: update.scale })
      row += rankOf(update)
    }
    column += outFeatures
  }
  return { a: f32([inFeatures, rank], a), b: f32([rank, width], b) }
}

/** Writes a matrix [m, n] as [n, m] into a wider one, from an element on. */
function turned(
  { shape, data }: Tensor<"f32">,
  { into, width, at, scale }: { into: Float32Array; width: number; at: number; scale: number },
): void {
  const [m, n] = shape as [number, number]
  turn(data, m, n, into, width, at, scale)
}

/** By itself and over plain values: so it takes a quarter of the time that it takes in the function above. */
function turn(
  data: Float32Array,
  m: number,
  n: number,
  into: Float32Array,
  width: number,
  at: number,
  scale: number,
): void {
  for (let i = 0, from = 0; i < m; i++)
    for (let j = 0, to = at + i; j < n; j++, from++, to += width) into[to] = scale * data[from]!
}
