/**
 * @module What adapters add to the decoding graph: nodes for each kind of form, with the form's tensors as graph inputs, so
 * that one session serves every adapter of its kind, and a site that an adapter leaves alone is fed what changes nothing.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { BottleneckForm, Form } from "../forms/form.ts"
import type { GraphBuilder } from "../graph/builder.ts"
import type { Value } from "../graph/ir.ts"
import { sideBySide } from "../merge/cat-forms.ts"
import type { Base } from "../models/base.ts"
import type { Hooks } from "../models/hooks.ts"
import type { LinearSite, NormSite, ResidualSite } from "../models/site.ts"

/** A kind of nodes in the decoding graph. Bottlenecks of each nonlinearity are a kind of their own. */
export type DecodeFeature = "lowrank" | "scale" | "bias" | "norm" | `bottleneck-${BottleneckForm["nonlinearity"]}`

/** The feature that serves a form; null for forms that need none, being keys, values or embeddings. */
export function featureOf(form: Form): DecodeFeature | null {
  if (form.form === "prompt" || form.form === "prefix") return null
  if (form.form === "bottleneck") return `bottleneck-${form.nonlinearity}`
  // Whole weights are served where they are norms'; the decoder refuses others.
  return form.form === "weights" ? "norm" : form.form
}

/** The linear layers that forms may sit on. */
export const servedLinears = ({ architecture, config }: Base): LinearSite[] =>
  architecture.sites(config).filter((site): site is LinearSite => site.kind === "linear" && site.role !== "head")

/** The norms. */
export const servedNorms = ({ architecture, config }: Base): NormSite[] =>
  architecture.sites(config).filter((site): site is NormSite => site.kind === "norm")

/** The ends of sub-layers. */
export const servedResiduals = ({ architecture, config }: Base): ResidualSite[] =>
  architecture.sites(config).filter((site): site is ResidualSite => site.kind === "residual")

/**
 * Hooks for a set of features. A linear layer computes out * (base(in * x) + (x A^T) B^T) + add, with A [r, in] and B
 * [out, r] (its scale multiplied in), in and out the vectors of `scale`, add the vector of `bias`.
 */
export function decodeHooks(g: GraphBuilder, base: Base, features: ReadonlySet<DecodeFeature>): Hooks {
  const has = (feature: DecodeFeature): boolean => features.has(feature)
  const input = (name: string, shape: readonly (number | string)[]): Value => g.input(name, "f32", shape)
  // Sites are numbered, as each rank is a size of its own.
  const rank = new Map(servedLinears(base).map(({ path }, i) => [path, `R${i}`]))
  const sizes = new Map(servedResiduals(base).map(({ path }, i) => [path, `S${i}`]))
  const nonlinearity = [...features].find((feature) => feature.startsWith("bottleneck-"))?.slice("bottleneck-".length)
  const hooks: Hooks = {}
  if (has("lowrank") || has("scale") || has("bias")) {
    hooks.linear = ({ site, x, base: frozen }) => {
      const { path, inFeatures, outFeatures } = site
      if (site.role === "head") return frozen(x)
      let y = frozen(has("scale") ? g.mul(x, input(`in.${path}`, [1, inFeatures])) : x)
      if (has("lowrank")) {
        const down = g.gemm(x, input(`a.${path}`, [rank.get(path)!, inFeatures]), { transB: true })
        y = g.gemm(down, input(`b.${path}`, [outFeatures, rank.get(path)!]), { transB: true, c: y })
      }
      if (has("scale")) y = g.mul(y, input(`out.${path}`, [1, outFeatures]))
      return has("bias") ? g.add(y, input(`add.${path}`, [1, outFeatures])) : y
    }
  }
  if (has("norm") || has("bias")) {
    hooks.norm = ({ site, x, base: frozen }) => {
      const { path, features: width } = site
      const replacement = has("norm")
        ? {
            weight: input(`weight.${path}`, [width]),
            ...(site.bias && { bias: input(`norm_bias.${path}`, [width]) }),
          }
        : {}
      const y = frozen(x, replacement)
      return has("bias") ? g.add(y, input(`add.${path}`, [1, width])) : y
    }
  }
  if (nonlinearity) {
    const f = { relu: g.relu, silu: g.silu, gelu: g.geluTanh }[nonlinearity as BottleneckForm["nonlinearity"]]
    hooks.residual = ({ site, branch, stream }) => {
      const { path, features: width } = site
      const size = sizes.get(path)!
      // Each is 1 where it is read, else 0.
      const part = (kind: "branch" | "stream") => input(`reads_${kind}.${path}`, [1, 1])
      const read = g.add(g.mul(branch, part("branch")), g.mul(stream, part("stream")))
      const narrow = g.gemm(read, input(`down.${path}`, [size, width]), {
        transB: true,
        c: input(`down_bias.${path}`, [size]),
      })
      const wide = g.gemm(f(narrow), input(`up.${path}`, [width, size]), {
        transB: true,
        c: input(`up_bias.${path}`, [width]),
      })
      return g.add(branch, wide)
    }
  }
  return hooks
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

/** Low-rank factors of a site as one pair: several lie one after the other, their scales multiplied into B. */
function joinedFactors({ path, inFeatures, outFeatures }: LinearSite, forms: readonly Form[]) {
  const found = at(forms, "lowrank", path)
  if (found.length === 0)
    return { a: f32([1, inFeatures], filled(inFeatures, 0)), b: f32([outFeatures, 1], filled(outFeatures, 0)) }
  const { a, b, scale } = sideBySide(found)
  return {
    a,
    b: f32(
      b.shape,
      b.data.map((x) => scale * x),
    ),
  }
}

/** What to feed for an adapter's forms under {@link decodeHooks} of the same features. */
export async function decodeFeeds(
  base: Base,
  features: ReadonlySet<DecodeFeature>,
  forms: readonly Form[],
): Promise<Record<string, Tensor>> {
  const feeds: Record<string, Tensor> = {}
  const added = (path: string, size: number): Tensor =>
    folded(
      size,
      at(forms, "bias", path).map(({ vector }) => vector.data),
      0,
      (a, b) => a + b,
    )
  for (const site of servedLinears(base)) {
    const { path, inFeatures, outFeatures } = site
    if (features.has("lowrank")) {
      const { a, b } = joinedFactors(site, forms)
      feeds[`a.${path}`] = a
      feeds[`b.${path}`] = b
    }
    if (features.has("scale")) {
      const vectors = (side: "input" | "output") =>
        at(forms, "scale", path).flatMap((form) => (form.side === side ? [form.vector.data] : []))
      feeds[`in.${path}`] = folded(inFeatures, vectors("input"), 1, (a, b) => a * b)
      feeds[`out.${path}`] = folded(outFeatures, vectors("output"), 1, (a, b) => a * b)
    }
    if (features.has("bias")) feeds[`add.${path}`] = added(path, outFeatures)
  }
  for (const { path, features: width, bias } of servedNorms(base)) {
    if (features.has("bias")) feeds[`add.${path}`] = added(path, width)
    if (!features.has("norm")) continue
    const weight = async (name: string): Promise<Tensor> => {
      const form = forms.find((each) => each.form === "weights" && each.name === name)
      return form?.form === "weights" ? form.value : f32([width], await base.read(name))
    }
    feeds[`weight.${path}`] = await weight(`${path}.weight`)
    if (bias) feeds[`norm_bias.${path}`] = await weight(`${path}.bias`)
  }
  if (![...features].some((feature) => feature.startsWith("bottleneck-"))) return feeds
  for (const { path, features: width } of servedResiduals(base)) {
    const [form] = at(forms, "bottleneck", path)
    for (const kind of ["branch", "stream"] as const)
      feeds[`reads_${kind}.${path}`] = f32([1, 1], [form?.reads === kind || form?.reads === "sum" ? 1 : 0])
    feeds[`down.${path}`] = form?.down ?? f32([1, width], filled(width, 0))
    feeds[`down_bias.${path}`] = form?.downBias ?? f32([1], [0])
    feeds[`up.${path}`] = form?.up ?? f32([width, 1], filled(width, 0))
    feeds[`up_bias.${path}`] = form?.upBias ?? f32([width], filled(width, 0))
  }
  return feeds
}
