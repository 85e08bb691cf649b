/**
 * @module One forward pass under construction: what an architecture writes its assembly in. It looks weights up, lets
 * hooks act at sites, and joins layers that read the same input into one product.
 */
import type { GraphBuilder, RopeTables } from "../graph/builder.ts"
import { type Dim, product } from "../graph/dim.ts"
import type { Value } from "../graph/ir.ts"
import { add } from "../graph/ops/elementwise.ts"
import { split } from "../graph/ops/movement.ts"
import { type Architecture, headWeight, type ModelConfig } from "./architecture.ts"
import { BaseWeights, type WeightLayout } from "./base-weights.ts"
import { type RopeSettings, ropeTables } from "./blocks/rope-tables.ts"
import type { Hooks, LayerContext, Replacement } from "./hooks.ts"
import type { EmbeddingSite, LinearSite, NormSite, ResidualSite, Site, TiedHeadSite } from "./site.ts"

/**
 * Attention of one layer: given by training (whole rows) or decoding (over a cache). q, k, v are [B, T, heads * D]; where
 * one product made all three and nothing has touched them since, `packed` is what it made, [B, T, all of them]. It gives
 * [B, T, heads * D], or flat rows at once.
 */
export type Attend = (layer: number, q: Value, k: Value, v: Value, packed?: Value | null) => Value

/** What a forward pass is built from. */
export interface ForwardOptions {
  readonly g: GraphBuilder
  readonly architecture: Architecture
  readonly config: ModelConfig
  readonly layout: WeightLayout
  readonly hooks: Hooks
  /** Embeddings [B, T, hidden] of the row's tokens: looked up by ids, or an input. */
  readonly embed: (lookUp: (ids: Value) => Value) => Value
  /** Positions i64 [B, S]; S is T, or T plus the virtual tokens. */
  readonly positions: Value
  /** Positions the rotation tables hold. */
  readonly maxPositions: number
  /**
   * Compute layers that read the same input in one product, where their weights lie side by side, and a sum with its norm
   * in one node, which has no gradient. It pays where rows are few (decoding); in training, cutting the wide result apart
   * costs more than it saves (4 x 128 rows: 7 % of a step).
   */
  readonly join: boolean
  /**
   * Let products with weights held in 8 bits round their input to 8 bits too. For decoding, where the backend has kernels
   * for it: elsewhere, and for gradients, such weights become f32 for each product.
   * @default {false}
   */
  readonly roundInputs?: boolean
  /** Dropout of a layer's input, in training. @default none */
  readonly dropout?: (site: LinearSite | NormSite, x: Value, p: number) => Value
  /** Made once the forward pass exists, as attention may need its tables. */
  readonly attend: (f: Forward) => Attend
}

/** Builds one forward pass. */
export class Forward {
  readonly g: GraphBuilder
  readonly config: ModelConfig
  readonly batch: Dim
  /** Positions of a row, virtual tokens included. */
  readonly length: Dim
  readonly #options: ForwardOptions
  readonly #sites: ReadonlyMap<string, Site>
  readonly #frozen: BaseWeights
  readonly #attend: Attend
  readonly #tables = new Map<string, RopeTables>()
  /** Sums that come out of the nodes that norm them, by the id of the node that would add them alone. */
  readonly #sums = new Map<number, Value>()

  constructor(options: ForwardOptions) {
    this.#options = options
    this.g = options.g
    this.config = options.config
    this.batch = options.positions.shape[0]!
    this.length = options.positions.shape[1]!
    this.#sites = new Map(options.architecture.sites(options.config).map((site) => [`${site.kind}:${site.path}`, site]))
    this.#frozen = new BaseWeights(options.g, options.layout, options.roundInputs ?? false)
    this.#attend = options.attend(this)
  }

  /** Flat rows: B * T. */
  get rows(): Dim {
    return product([this.batch, this.length])
  }

  /** Positions i64 [B, S]. */
  get positions(): Value {
    return this.#options.positions
  }

  /**
   * A frozen weight as f32, by its checkpoint name.
   * @param after made shortly before the weight is wanted: one that is held in fewer bits becomes f32 only then
   * @throws {TypeError} If the base has none of that name.
   */
  weight(name: string, after: Value = this.positions): Value {
    return this.#frozen.value(this.#frozen.find(name), after)
  }

  /** Rows of the embedding table in force at a path, a hook's or the frozen one: i64 [...] to f32 [..., features]. */
  lookUp(path: string, indices: Value): Value {
    const { g } = this
    const frozen = (at: Value): Value => this.#frozen.rows(this.#frozen.find(`${path}.weight`), at)
    const site = this.#site<EmbeddingSite>("embedding", path)
    const rows = this.#options.hooks.lookUp?.({ g, site, indices, frozen })
    if (rows) return rows
    const replaced = this.#table(path)
    return replaced ? g.gather(replaced, indices) : frozen(indices)
  }

  /**
   * The output layer's weight in force, [vocabulary, hidden]: the embedding table where the head is tied to it.
   * @param rows the hidden states that it is for
   */
  head(rows: Value): Value {
    return this.#head() ?? this.weight(this.#headName(), rows)
  }

  /** Logits [n, vocabulary] of hidden states [n, hidden]. */
  logits(hidden: Value): Value {
    const replaced = this.#head()
    const logits = replaced
      ? this.g.gemm(hidden, replaced, { transB: true })
      : this.#frozen.product(this.#frozen.find(this.#headName()), hidden, false, null)
    return this.g.softCap(logits, this.config.logitCap)
  }

  /** Token embeddings with virtual tokens before them, flat [B * S, hidden]. */
  tokens(path: string): Value {
    const { g } = this
    const hidden = this.config.hiddenSize
    const embedded = this.#options.embed((ids) => g.mul(this.lookUp(path, ids), this.config.tokenScale)) // [B, T, hidden]
    const prompt = this.#options.hooks.prompt?.({ g, site: this.#site("prompt", "") }) ?? null
    if (!prompt) return g.reshape(embedded, [this.rows, hidden])
    const virtual = g.expand(g.reshape(prompt, [1, prompt.shape[0]!, hidden]), [this.batch, prompt.shape[0]!, hidden])
    return g.reshape(g.concat([virtual, embedded], 1, this.length), [this.rows, hidden])
  }

  /** A linear layer on flat rows [N, in]. */
  linear(path: string, x: Value): Value {
    return this.linears([path], x)[0]!
  }

  /**
   * Linear layers that read the same input. Where their weights lie side by side and their hooks ask for the frozen
   * product on that very input, it is computed once for all.
   */
  linears(paths: readonly string[], x: Value): Value[] {
    const sites = paths.map((path) => this.#site<LinearSite>("linear", path))
    const joined = this.#joined(sites)
    let parts: Value[] | null = null
    return sites.map((site, i) =>
      this.#layer(site, x, (input, replacement) => {
        if (!joined || input !== x || replacement.weight || replacement.bias)
          return this.#product(site, input, replacement)
        parts ??= this.g.split(
          this.#whole(sites, x, joined(x)),
          1,
          sites.map((each) => each.outFeatures),
        )
        return parts[i]!
      }),
    )
  }

  #whole(sites: readonly LinearSite[], x: Value, whole: Value): Value {
    return this.#options.hooks.joined?.({ g: this.g, sites, x, whole }) ?? whole
  }

  /** An RMSNorm, or a LayerNorm where the site has a bias, on flat rows [n, features of the site]. */
  norm(path: string, x: Value): Value {
    const site = this.#site<NormSite>("norm", path)
    const { g, config } = this
    const base = (input: Value, replacement: Replacement): Value => {
      const own = replacement.weight ?? this.weight(`${path}.weight`)
      const weight = config.normOffset === 0 ? own : g.add(own, config.normOffset)
      if (!site.bias) return this.#rmsNorm(input, weight)
      return g.layerNorm(input, weight, replacement.bias ?? this.weight(`${path}.bias`), config.normEpsilon)
    }
    const hook = this.#options.hooks.norm
    if (!hook) return base(x, {})
    return hook({
      g,
      site,
      x,
      base: (input, replacement = {}) => base(input, replacement),
      weight: () => this.weight(`${path}.weight`),
      bias: () => (site.bias ? this.weight(`${path}.bias`) : null),
      dropout: (input, p) => this.#dropout(site, input, p),
    })
  }

  /** An RMSNorm; of a sum, with the sum in the same node, which then stands for it. */
  #rmsNorm(x: Value, weight: Value): Value {
    const { normEpsilon } = this.config
    const { origin } = x
    const [a, b] = origin.kind === "node" && origin.node.op.name === add.name ? origin.node.inputs : []
    if (!this.#options.join || !a || !b || a.shape.join() !== b.shape.join())
      return this.g.rmsNorm(x, weight, normEpsilon)
    const [y, sum] = this.g.addRmsNorm(a, b, weight, normEpsilon)
    this.#sums.set(x.id, sum)
    return y
  }

  /** The residual stream plus a branch. */
  residual(path: string, before: Value, branch: Value): Value {
    const site = this.#site<ResidualSite>("residual", path)
    const hook = this.#options.hooks.residual
    const stream = this.#sums.get(before.id) ?? before
    return this.g.add(stream, hook ? hook({ g: this.g, site, branch, stream }) : branch)
  }

  /** Attention on flat rows: q [N, heads * D], k and v [N, kvHeads * D] to [N, heads * D]. Rotates where the layer does. */
  attention(layer: number, q: Value, k: Value, v: Value): Value {
    const lift = (x: Value) => this.g.reshape(x, [this.batch, this.length, x.shape[1]!])
    const whole = splitInto(q, k, v)
    const y = this.#attend(layer, lift(q), lift(k), lift(v), whole && lift(whole))
    return this.g.reshape(y, [this.rows, q.shape[1]!])
  }

  /** Rotation tables, made on first use and shared by layers that rotate alike. */
  ropeTables(rope: RopeSettings): RopeTables {
    const key = JSON.stringify(rope)
    const known = this.#tables.get(key)
    if (known) return known
    const tables = ropeTables(rope, this.#options.maxPositions)
    const { g } = this
    const made = {
      cos: g.constant(tables.cos),
      sin: g.constant(tables.sin),
      negativeSin: g.constant(tables.negativeSin),
    }
    this.#tables.set(key, made)
    return made
  }

  /** Queries or keys [B, T, heads * D] as a layer rotates them. */
  rotated(layer: number, x: Value): Value {
    const { rope } = this.config.attention[layer]!
    return rope ? this.g.rope(x, this.ropeTables(rope), this.positions, this.config.headDim) : x
  }

  /** What a prefix hook gives for a layer. */
  prefix(layer: number): { keys: Value; values: Value } | null {
    return this.#options.hooks.prefix?.({ g: this.g, site: this.#site("prefix", ""), layer }) ?? null
  }

  #layer(site: LinearSite, x: Value, base: (x: Value, replacement: Replacement) => Value): Value {
    const hook = this.#options.hooks.linear
    if (!hook) return base(x, {})
    const context: LayerContext<LinearSite> = {
      g: this.g,
      site,
      x,
      base: (input, replacement = {}) => base(input, replacement),
      weight: () => this.weight(`${site.path}.weight`, x),
      bias: () => (site.bias ? this.weight(`${site.path}.bias`) : null),
      dropout: (input, p) => this.#dropout(site, input, p),
    }
    return hook(context)
  }

  #dropout(site: LinearSite | NormSite, x: Value, p: number): Value {
    return p === 0 ? x : (this.#options.dropout?.(site, x, p) ?? x)
  }

  #product(site: LinearSite, x: Value, replacement: Replacement): Value {
    const bias = replacement.bias ?? (site.bias ? this.weight(`${site.path}.bias`) : null)
    if (!replacement.weight)
      return this.#frozen.product(this.#frozen.find(`${site.path}.weight`), x, site.transposed, bias)
    return this.g.gemm(x, replacement.weight, { transB: !site.transposed, ...(bias && { c: bias }) })
  }

  /** One product for several layers, where their weights (and biases) lie side by side in the blob. */
  #joined(sites: readonly LinearSite[]): ((x: Value) => Value) | null {
    if (
      !this.#options.join ||
      sites.length < 2 ||
      sites.some((site) => site.transposed || site.bias !== sites[0]!.bias)
    )
      return null
    const weight = this.#frozen.join(sites.map((site) => `${site.path}.weight`))
    const bias = sites[0]!.bias ? this.#frozen.join(sites.map((site) => `${site.path}.bias`)) : null
    if (!weight || (sites[0]!.bias && !bias)) return null
    return (x) => this.#frozen.product(weight, x, false, bias && this.#frozen.value(bias, x))
  }

  /** The embedding table that a hook puts in place of the frozen one, or null. */
  #table(path: string): Value | null {
    const site = this.#site<EmbeddingSite>("embedding", path)
    return this.#options.hooks.embedding?.({ g: this.g, site, weight: () => this.weight(`${path}.weight`) }) ?? null
  }

  /** The output layer's weight that a hook puts in place of the frozen one, or null. */
  #head(): Value | null {
    const { architecture, config, hooks } = this.#options
    const site = this.#site<LinearSite | TiedHeadSite>(config.tiedHead ? "tied_head" : "linear", "lm_head")
    const own = hooks.head?.({ g: this.g, site, weight: () => this.weight(this.#headName()) }) ?? null
    return own ?? (config.tiedHead ? this.#table(architecture.tokenEmbedding) : null)
  }

  #headName = (): string => headWeight(this.#options.architecture, this.config)

  #site<S extends Site>(kind: S["kind"], path: string): S {
    const site = this.#sites.get(`${kind}:${path}`)
    if (!site) throw new TypeError(`The architecture declares no ${kind} site "${path}"`)
    return site as S
  }
}

/** What a node cut into just these parts, if one did. */
function splitInto(...parts: readonly Value[]): Value | null {
  const { origin } = parts[0]!
  if (origin.kind !== "node" || origin.node.op.name !== split.name) return null
  const { inputs, outputs } = origin.node
  return outputs.length === parts.length && outputs.every(({ id }, i) => id === parts[i]!.id) ? inputs[0]! : null
}
