/**
 * @module What adapters add to the decoding graph: nodes for each kind of form, with the form's tensors as graph inputs, so
 * that one session serves every adapter of its kind, and a site that an adapter leaves alone is fed what changes nothing.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { BottleneckForm, Form } from "../forms/form.ts"
import type { GraphBuilder } from "../graph/builder.ts"
import { parseDim, product } from "../graph/dim.ts"
import type { Value } from "../graph/ir.ts"
import { gemm, type ProductAttrs } from "../graph/ops/matmul.ts"
import type { Base } from "../models/base.ts"
import type { Hooks } from "../models/hooks.ts"
import type { LinearSite, NormSite, ResidualSite } from "../models/site.ts"
import { groupFactors, type LowrankGroup, lowrankGroups, type OutputBlocks, servedLinears } from "./lowrank-groups.ts"
import { apart, type Room } from "./room-for-values.ts"
import type { RowFeeds } from "./row-bank.ts"

/**
 * A kind of nodes in the decoding graph. Factors on layers that read the same input are a kind of their own
 * (`lowrank-q+k+v`), so that an adapter of queries and values alone costs no products elsewhere; and so are bottlenecks of
 * each nonlinearity.
 */
export type DecodeFeature =
  | `lowrank-${string}`
  | "scale"
  | "bias"
  | "norm"
  | `bottleneck-${BottleneckForm["nonlinearity"]}`

/** The features that serve forms. Forms that are keys, values, embeddings or output layers need none. */
export function featuresOf(base: Base, forms: readonly Form[]): Set<DecodeFeature> {
  const roles = new Map(lowrankGroups(base).flatMap(({ sites, roles }) => sites.map(({ path }) => [path, roles])))
  const features = new Set<DecodeFeature>()
  for (const form of forms) {
    if (form.form === "prompt" || form.form === "prefix" || form.form === "table") continue
    if (form.form === "lowrank") features.add(`lowrank-${roles.get(form.path)!}`)
    else if (form.form === "bottleneck") features.add(`bottleneck-${form.nonlinearity}`)
    // Whole weights are served where they are norms'; the decoder refuses others.
    else features.add(form.form === "weights" ? "norm" : form.form)
  }
  return features
}

const LOWRANK = "lowrank-"

/** The norms. */
export const servedNorms = ({ architecture, config }: Base): NormSite[] =>
  architecture.sites(config).filter((site): site is NormSite => site.kind === "norm")

/** The ends of sub-layers. */
export const servedResiduals = ({ architecture, config }: Base): ResidualSite[] =>
  architecture.sites(config).filter((site): site is ResidualSite => site.kind === "residual")

/** The nonlinearities among a set of features. */
const nonlinearitiesOf = (features: ReadonlySet<DecodeFeature>): BottleneckForm["nonlinearity"][] =>
  [...features].flatMap((feature) =>
    feature.startsWith("bottleneck-") ? [feature.slice("bottleneck-".length) as BottleneckForm["nonlinearity"]] : [],
  )

/**
 * Hooks for a set of features. Each sequence of a run has factors of its own, so every input has the batch for its first
 * axis. A linear layer computes out * (base(in * x) + (x A) B) + add, with A [B, in, r] and B [B, r, out] (its scale
 * multiplied in), in and out [B, 1, size] the vectors of `scale`, add the vector of `bias`. A and B are those of all layers that
 * read the same input: see `lowrank-groups.ts`.
 */
export function decodeHooks(g: GraphBuilder, base: Base, features: ReadonlySet<DecodeFeature>): Hooks {
  const has = (feature: DecodeFeature): boolean => features.has(feature)
  const input = (name: string, shape: readonly (number | string)[]): Value => g.input(name, "f32", ["B", ...shape])
  const groups = new Map<string, { readonly group: LowrankGroup; readonly rank: string }>()
  // Groups are numbered, as each rank is a size of its own.
  for (const [i, group] of lowrankGroups(base).entries())
    if (has(`${LOWRANK}${group.roles}`)) for (const { path } of group.sites) groups.set(path, { group, rank: `R${i}` })
  const sizes = new Map(servedResiduals(base).map(({ path }, i) => [path, i]))
  /** Flat rows [B * T, n] with each sequence's own apart, and back; of heads that are normed, each is a row. */
  const apart = (x: Value): Value => g.reshape(x, ["B", product([parseDim(x.shape[0]!).coefficient, "T"]), x.shape[1]!])
  const flat = (x: Value): Value => g.reshape(x, [product(x.shape.slice(0, 2)), x.shape[2]!])
  const times = (x: Value, name: string): Value => flat(g.mul(apart(x), input(name, [1, x.shape[1]!])))
  const plus = (x: Value, name: string): Value => flat(g.add(apart(x), input(name, [1, x.shape[1]!])))
  const hooks: Hooks = {}
  /** What a group's layers add to their outputs [N, out of all], by its name. */
  const changes = new Map<string, Value>()
  const changeOf = (path: string, x: Value): Value => {
    const { group, rank } = groups.get(path)!
    const { name, sites, inputs, blocks } = group
    const known = changes.get(name)
    if (known) return known
    const { inFeatures } = sites[0]!
    const width = sites.reduce((sum, { outFeatures }) => sum + outFeatures, 0)
    let change: Value
    if (blocks) {
      const down = g.matmul(apart(x), input(inputs.a, [inFeatures, product([sites.length, rank])]))
      const apiece = g.transpose(g.reshape(down, ["B", "T", sites.length, rank], 2), [0, 2, 1, 3])
      const b = input(inputs.b, [blocks.sites.length, rank, blocks.width])
      const up = g.matmul(forBlocks(apiece, sites.length, blocks), b)
      change = g.reshape(g.transpose(up, [0, 2, 1, 3]), [x.shape[0]!, width])
    } else {
      const down = g.matmul(apart(x), input(inputs.a, [inFeatures, rank]))
      change = flat(g.matmul(down, input(inputs.b, [rank, width])))
    }
    changes.set(name, change)
    return change
  }
  /** What each block's product is of: [B, layers, T, r] as [B, blocks, T, r]. */
  const forBlocks = (down: Value, layers: number, { sites }: OutputBlocks): Value => {
    if (sites.length === layers) return down
    const each = g.split(down, 1, new Array<number>(layers).fill(1))
    return g.concat(
      sites.map((site) => each[site]!),
      1,
    )
  }
  /** Layers whose change is in what the product of several gave. */
  const changed = new Set<string>()
  /** One layer's part of its group's change. */
  const ownChange = ({ path }: LinearSite, x: Value): Value => {
    const { sites } = groups.get(path)!.group
    const change = changeOf(path, x)
    if (sites.length === 1) return change
    const sizes = sites.map(({ outFeatures }) => outFeatures)
    return g.split(change, 1, sizes)[sites.findIndex((site) => site.path === path)]!
  }
  if (groups.size > 0) {
    hooks.joined = ({ sites, x, whole }) => {
      const found = groups.get(sites[0]!.path)
      if (!found || found.group.sites.length !== sites.length) return whole
      for (const { path } of sites) changed.add(path)
      return inProduct(g, whole, changeOf(sites[0]!.path, x))
    }
  }
  if (groups.size > 0 || has("scale") || has("bias")) {
    hooks.linear = ({ site, x, base: frozen }) => {
      const { path } = site
      if (site.role === "head") return frozen(x)
      let y = frozen(has("scale") ? times(x, `in.${path}`) : x)
      if (groups.has(path) && !changed.has(path)) y = inProduct(g, y, ownChange(site, x))
      if (has("scale")) y = times(y, `out.${path}`)
      return has("bias") ? plus(y, `add.${path}`) : y
    }
  }
  if (has("norm") || has("bias")) {
    hooks.norm = ({ site, x, base: frozen }) => {
      const { path, features: width } = site
      let y: Value
      if (has("norm")) {
        const constant = (value: number): Value => g.constant(f32([width], filled(width, value)))
        const unit = constant(1 - base.config.normOffset)
        y = times(frozen(x, { weight: unit, ...(site.bias && { bias: constant(0) }) }), `weight.${path}`)
        if (site.bias) y = plus(y, `norm_bias.${path}`)
      } else y = frozen(x)
      return has("bias") ? plus(y, `add.${path}`) : y
    }
  }
  const nonlinearities = nonlinearitiesOf(features)
  if (nonlinearities.length > 0) {
    hooks.residual = ({ site, branch, stream }) => {
      const { path, features: width } = site
      let y = branch
      for (const nonlinearity of nonlinearities) {
        const f = { relu: g.relu, silu: g.silu, gelu: g.geluTanh }[nonlinearity]
        const size = `S${sizes.get(path)!}_${nonlinearity}`
        const part = (name: string, shape: readonly (number | string)[]) =>
          input(`${nonlinearity}.${name}.${path}`, shape)
        // Each is 1 where it is read, else 0.
        const read = g.add(
          g.mul(apart(branch), part("reads_branch", [1, 1])),
          g.mul(apart(stream), part("reads_stream", [1, 1])),
        )
        const narrow = g.add(g.matmul(read, part("down", [width, size])), part("down_bias", [1, size]))
        const wide = g.add(g.matmul(f(narrow), part("up", [size, width])), part("up_bias", [1, width]))
        y = g.add(y, flat(wide))
      }
      return y
    }
  }
  return hooks
}

/** y + change, in the node of y where that is a product which adds nothing yet. */
function inProduct(g: GraphBuilder, y: Value, change: Value): Value {
  const { origin } = y
  if (origin.kind !== "node" || origin.node.op.name !== gemm.name || origin.node.inputs.length > 2)
    return g.add(y, change)
  const [a, b] = origin.node.inputs
  return g.gemm(a!, b!, { ...(origin.node.attrs as ProductAttrs), c: change })
}

/** Forms on one path, by kind. */
const at = <F extends Form["form"]>(forms: readonly Form[], form: F, path: string) =>
  forms.filter((each): each is Extract<Form, { form: F }> => each.form === form && "path" in each && each.path === path)

const filled = (size: number, value: number): Float32Array => new Float32Array(size).fill(value)

/** A product of vectors, or a sum of them, [1, size]. */
function folded(size: number, vectors: readonly Float32Array[], first: number, fold: (a: number, b: number) => number) {
  const all = filled(size, first)
  for (const vector of vectors) for (let i = 0; i < size; i++) all[i] = fold(all[i]!, vector[i]!)
  return f32([1, size], all)
}

/** A matrix [m, n] as [n, m]. */
function transposed({ shape, data }: Tensor<"f32">): Tensor<"f32"> {
  const [m, n] = shape as [number, number]
  const turned = new Float32Array(data.length)
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) turned[j * m + i] = data[i * n + j]!
  return f32([n, m], turned)
}

/**
 * What to feed for an adapter's forms under {@link decodeHooks} of a feature; without forms, what changes nothing.
 * Ranks and sizes may be less than another sequence's: rows and columns of zeros change nothing either.
 * @param room where factors are to lie
 */
export async function decodeFeeds(
  base: Base,
  feature: DecodeFeature,
  forms: readonly Form[],
  room: Room = apart,
): Promise<RowFeeds> {
  switch (feature) {
    case "scale":
      return scaleFeeds(base, forms)
    case "bias":
      return biasFeeds(base, forms)
    case "norm":
      return normFeeds(base, forms)
    default:
      return feature.startsWith(LOWRANK)
        ? lowrankFeeds(base, feature.slice(LOWRANK.length), forms, room)
        : bottleneckFeeds(base, feature.slice("bottleneck-".length), forms)
  }
}

/** Factors of each group of layers of these roles. */
function lowrankFeeds(base: Base, roles: string, forms: readonly Form[], room: Room): RowFeeds {
  const feeds: Record<string, Tensor<"f32">> = {}
  for (const group of lowrankGroups(base)) {
    if (group.roles !== roles) continue
    const { a, b } = groupFactors(group, forms, room)
    feeds[group.inputs.a] = a
    feeds[group.inputs.b] = b
  }
  return feeds
}

function scaleFeeds(base: Base, forms: readonly Form[]): RowFeeds {
  const feeds: Record<string, Tensor<"f32">> = {}
  for (const { path, inFeatures, outFeatures } of servedLinears(base)) {
    const vectors = (side: "input" | "output") =>
      at(forms, "scale", path).flatMap((form) => (form.side === side ? [form.vector.data] : []))
    feeds[`in.${path}`] = folded(inFeatures, vectors("input"), 1, (a, b) => a * b)
    feeds[`out.${path}`] = folded(outFeatures, vectors("output"), 1, (a, b) => a * b)
  }
  return feeds
}

function biasFeeds(base: Base, forms: readonly Form[]): RowFeeds {
  const sites = [
    ...servedLinears(base).map(({ path, outFeatures }) => ({ path, size: outFeatures })),
    ...servedNorms(base).map(({ path, features }) => ({ path, size: features })),
  ]
  const vectors = (path: string) => at(forms, "bias", path).map(({ vector }) => vector.data)
  return Object.fromEntries(
    sites.map(({ path, size }) => [`add.${path}`, folded(size, vectors(path), 0, (a, b) => a + b)]),
  )
}

async function normFeeds(base: Base, forms: readonly Form[]): Promise<RowFeeds> {
  const feeds: Record<string, Tensor<"f32">> = {}
  for (const { path, features, bias } of servedNorms(base)) {
    const weight = async (name: string, offset: number): Promise<Tensor<"f32">> => {
      const form = forms.find((each) => each.form === "weights" && each.name === name)
      const own = form?.form === "weights" ? form.value.data : await base.read(name)
      return f32([1, features], offset === 0 ? own : own.map((x) => x + offset))
    }
    feeds[`weight.${path}`] = await weight(`${path}.weight`, base.config.normOffset)
    if (bias) feeds[`norm_bias.${path}`] = await weight(`${path}.bias`, 0)
  }
  return feeds
}

function bottleneckFeeds(base: Base, nonlinearity: string, forms: readonly Form[]): RowFeeds {
  const feeds: Record<string, Tensor<"f32">> = {}
  for (const { path, features } of servedResiduals(base)) {
    const form = at(forms, "bottleneck", path).find((each) => each.nonlinearity === nonlinearity)
    const name = (part: string): string => `${nonlinearity}.${part}.${path}`
    const vector = ({ data }: Tensor<"f32">) => f32([1, data.length], data)
    for (const kind of ["branch", "stream"] as const)
      feeds[name(`reads_${kind}`)] = f32([1, 1], [form?.reads === kind || form?.reads === "sum" ? 1 : 0])
    feeds[name("down")] = form ? transposed(form.down) : f32([features, 1], filled(features, 0))
    feeds[name("down_bias")] = form ? vector(form.downBias) : f32([1, 1], [0])
    feeds[name("up")] = form ? transposed(form.up) : f32([1, features], filled(features, 0))
    feeds[name("up_bias")] = form ? vector(form.upBias) : f32([1, features], filled(features, 0))
  }
  return feeds
}
