/**
 * @module One forward pass under construction: what an architecture writes its assembly in. It looks weights up, lets
 * hooks act at sites, and joins layers that read the same input into one product.
 */
import type { GraphBuilder, RopeTables } from "../graph/builder.ts"
import { type Dim, product } from "../graph/dim.ts"
import type { Value, WeightRange } from "../graph/ir.ts"
import type { Architecture, ModelConfig } from "./architecture.ts"
import { ropeTables } from "./blocks/rope-tables.ts"
import type { Hooks, LayerContext, Replacement } from "./hooks.ts"
import type { EmbeddingSite, LinearSite, NormSite, ResidualSite, Site } from "./site.ts"

/** Where the weights of a base lie: by checkpoint name, in bytes. */
export type WeightLayout = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly offset: number; readonly length: number }
>

/** Attention of one layer: given by training (whole rows) or decoding (over a cache). q, k, v are [B, T, heads * D]. */
export type Attend = (layer: number, q: Value, k: Value, v: Value) => Value

/** What a forward pass is built from. */
export interface ForwardOptions {
  readonly g: GraphBuilder
  readonly architecture: Architecture
  readonly config: ModelConfig
  readonly layout: WeightLayout
  readonly hooks: Hooks
  /** Embeddings [B, T, hidden] of the row's tokens, given the embedding table: a gather by ids, or an input. */
  readonly embed: (table: Value) => Value
  /** Positions i64 [B, S]; S is T, or T plus the virtual tokens. */
  readonly positions: Value
  /** Positions the rotation tables hold. */
  readonly maxPositions: number
  /**
   * Compute layers that read the same input in one product, where their weights lie side by side. It pays where rows are
   * few (decoding); in training, cutting the wide result apart costs more than it saves (4 x 128 rows: 7 % of a step).
   */
  readonly join: boolean
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
  readonly #attend: Attend
  #tables: RopeTables | null = null

  constructor(options: ForwardOptions) {
    this.#options = options
    this.g = options.g
    this.config = options.config
    this.batch = options.positions.shape[0]!
    this.length = options.positions.shape[1]!
    this.#sites = new Map(options.architecture.sites(options.config).map((site) => [`${site.kind}:${site.path}`, site]))
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

  /** A frozen weight by its checkpoint name. @throws {TypeError} If the base has none of that name. */
  weight(name: string): Value {
    const range = this.#range(name)
    return this.g.weight(name, range.shape, range)
  }

  /** The embedding table in force at a path: a hook's, or the frozen one. */
  table(path: string): Value {
    const site = this.#site<EmbeddingSite>("embedding", path)
    const weight = () => this.weight(`${path}.weight`)
    return this.#options.hooks.embedding?.({ g: this.g, site, weight }) ?? weight()
  }

  /** The output layer's weight in force, [vocabulary, hidden]: the embedding table where the head is tied to it. */
  head(): Value {
    const { architecture, config, hooks } = this.#options
    if (config.tiedHead) return this.table(architecture.tokenEmbedding)
    const weight = () => this.weight("lm_head.weight")
    return hooks.head?.({ g: this.g, site: this.#site("linear", "lm_head"), weight }) ?? weight()
  }

  /** Token embeddings with virtual tokens before them, flat [B * S, hidden]. */
  tokens(path: string): Value {
    const { g } = this
    const hidden = this.config.hiddenSize
    const embedded = this.#options.embed(this.table(path)) // [B, T, hidden]
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
          joined(x),
          1,
          sites.map((each) => each.outFeatures),
        )
        return parts[i]!
      }),
    )
  }

  /** An RMSNorm, or a LayerNorm where the site has a bias, on flat rows. */
  norm(path: string, x: Value): Value {
    const site = this.#site<NormSite>("norm", path)
    const { g, config } = this
    const base = (input: Value, replacement: Replacement): Value => {
      const weight = replacement.weight ?? this.weight(`${path}.weight`)
      if (!site.bias) return g.rmsNorm(input, weight, config.normEpsilon)
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
    })
  }

  /** The residual stream plus a branch. */
  residual(path: string, stream: Value, branch: Value): Value {
    const site = this.#site<ResidualSite>("residual", path)
    const hook = this.#options.hooks.residual
    return this.g.add(stream, hook ? hook({ g: this.g, site, branch, stream }) : branch)
  }

  /** Attention on flat rows: q [N, heads * D], k and v [N, kvHeads * D] to [N, heads * D]. Rotates where the base does. */
  attention(layer: number, q: Value, k: Value, v: Value): Value {
    const lift = (x: Value) => this.g.reshape(x, [this.batch, this.length, x.shape[1]!])
    const y = this.#attend(layer, lift(q), lift(k), lift(v))
    return this.g.reshape(y, [this.rows, q.shape[1]!])
  }

  /** The rotation tables, made on first use. @throws {TypeError} If the base has no rotary positions. */
  ropeTables(): RopeTables {
    if (this.#tables) return this.#tables
    const { rope, headDim } = this.config
    if (!rope) throw new TypeError("This base has no rotary positions")
    const tables = ropeTables(rope, headDim, this.#options.maxPositions)
    const { g } = this
    this.#tables = {
      cos: g.constant(tables.cos),
      sin: g.constant(tables.sin),
      negativeSin: g.constant(tables.negativeSin),
    }
    return this.#tables
  }

  /** What a prefix hook gives for a layer. */
  prefix(layer: number): { keys: Value; values: Value } | null {
    return this.#options.hooks.prefix?.({ g: this.g, layer }) ?? null
  }

  #layer(site: LinearSite, x: Value, base: (x: Value, replacement: Replacement) => Value): Value {
    const hook = this.#options.hooks.linear
    if (!hook) return base(x, {})
    const context: LayerContext<LinearSite> = {
      g: this.g,
      site,
      x,
      base: (input, replacement = {}) => base(input, replacement),
      weight: () => this.weight(`${site.path}.weight`),
    }
    return hook(context)
  }

  #product(site: LinearSite, x: Value, replacement: Replacement): Value {
    const weight = replacement.weight ?? this.weight(`${site.path}.weight`)
    const bias = replacement.bias ?? (site.bias ? this.weight(`${site.path}.bias`) : null)
    return this.g.gemm(x, weight, { transB: !site.transposed, ...(bias && { c: bias }) })
  }

  /** One product for several layers, where their weights (and biases) lie side by side in the blob. */
  #joined(sites: readonly LinearSite[]): ((x: Value) => Value) | null {
    if (
      !this.#options.join ||
      sites.length < 2 ||
      sites.some((site) => site.transposed || site.bias !== sites[0]!.bias)
    )
      return null
    const weight = this.#join(sites.map((site) => `${site.path}.weight`))
    const bias = sites[0]!.bias ? this.#join(sites.map((site) => `${site.path}.bias`)) : null
    if (!weight || (sites[0]!.bias && !bias)) return null
    return (x) => this.g.gemm(x, weight(), { transB: true, ...(bias && { c: bias() }) })
  }

  #join(names: readonly string[]): (() => Value) | null {
    const ranges = names.map((name) => this.#range(name))
    for (let i = 1; i < ranges.length; i++) {
      if (ranges[i - 1]!.offset + ranges[i - 1]!.length !== ranges[i]!.offset) return null
    }
    const range: WeightRange = {
      offset: ranges[0]!.offset,
      length: ranges.reduce((total, { length }) => total + length, 0),
    }
    const shape = [ranges.reduce((total, each) => total + each.shape[0]!, 0), ...ranges[0]!.shape.slice(1)]
    return () => this.g.weight(names.join("+"), shape, range)
  }

  #range(name: string) {
    const range = this.#options.layout.get(name)
    if (!range) throw new TypeError(`The base has no weight "${name}"`)
    return range
  }

  #site<S extends Site>(kind: S["kind"], path: string): S {
    const site = this.#sites.get(`${kind}:${path}`)
    if (!site) throw new TypeError(`The architecture declares no ${kind} site "${path}"`)
    return site as S
  }
}
