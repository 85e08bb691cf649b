/**
 * @module The training graph: forward pass, loss on labelled rows only, and the gradient of every trainable.
 *
 * Inputs: input_ids and position_ids, rows (flat indices of the positions that predict a label), labels, weights (the
 * factor of each row's loss; 0 pads), each trainable under its key, and where a layer has dropout, dropout:<path> (the
 * elements of its input that are kept). Outputs: loss, correct, and grad:<key>.
 */
import { gradients } from "../graph/autodiff.ts"
import { GraphBuilder } from "../graph/builder.ts"
import type { GraphModel, Value } from "../graph/ir.ts"
import { joinThinProducts } from "../graph/join-products.ts"
import { inGraph, type ParameterSpec, type PreparedMethod, type SiteParameters } from "../method.ts"
import type { Base } from "../models/base.ts"
import { rowAttention } from "../models/blocks/attention.ts"
import { Forward } from "../models/forward.ts"
import { type DropoutInput, dropoutLevel, dropoutScale } from "./dropout.ts"

/** What a training graph is built from. */
export interface TrainGraphOptions {
  readonly base: Base
  readonly method: PreparedMethod
  readonly sites: readonly SiteParameters[]
  /** The longest row, virtual tokens aside. */
  readonly maxLength: number
  /** Parts that the loss is computed in. */
  readonly chunks: number
  readonly withGradients: boolean
  /**
   * Add to the loss, in training, how far each labelled row's distribution is from the frozen base's: KL(base || adapted),
   * by the input kl_weights. The base's comes from a second forward pass over the same ids, without the method.
   * @default {false}
   */
  readonly divergence?: boolean
}

/** A built graph, what its rows start with, and its dropout. */
export interface TrainGraph {
  readonly graph: GraphModel
  /** Virtual token embeddings before each row: rows are that much longer. */
  readonly virtualTokens: number
  /** Keys and values before each row: its positions begin after them. */
  readonly prefixTokens: number
  /** Whether something is added to the loss, by the input penalty_part: the batch's part of an update. */
  readonly penalised: boolean
  /** Inputs that want a mask. */
  readonly dropout: readonly DropoutInput[]
}

/** Every parameter once: sites may share one by its key. */
export function parametersOf(sites: readonly SiteParameters[]): ParameterSpec[] {
  return [...new Map(sites.flatMap(({ params }) => params.map((spec) => [spec.key, spec] as const))).values()]
}

/** Builds the graph, for any batch size and length. */
export function trainGraph({
  base,
  method,
  sites,
  maxLength,
  chunks,
  withGradients,
  divergence = false,
}: TrainGraphOptions): TrainGraph {
  const g = new GraphBuilder()
  const { architecture, config } = base
  const ids = g.input("input_ids", "i64", ["B", "T"])
  const parameters = parametersOf(sites)
    .filter(inGraph)
    .map((spec) => ({ ...spec, value: g.input(spec.key, "f32", spec.shape) }))
  const trainables = parameters.filter(({ frozen }) => !frozen)
  const hooks = method.hooks(sites, new Map(parameters.map(({ key, value }) => [key, value])))
  const prompt = hooks.prompt?.({ g, site: { kind: "prompt", path: "", features: config.hiddenSize } })
  const virtualTokens = (prompt?.shape[0] ?? 0) as number
  const prefixTokens = method.virtualTokens - virtualTokens
  const positions = g.input("position_ids", "i64", ["B", virtualTokens > 0 ? "S" : "T"])
  const dropout: DropoutInput[] = []
  const f = new Forward({
    g,
    architecture,
    config,
    layout: base.layout,
    hooks,
    embed: (lookUp) => lookUp(ids),
    positions,
    maxPositions: maxLength + method.virtualTokens,
    join: false,
    // What only evaluates drops nothing.
    ...(withGradients && {
      dropout: ({ path }, x, p) => {
        const level = dropoutLevel(p)
        if (level === 0) return x
        const name = `dropout:${path}`
        dropout.push({ name, features: x.shape[1] as number, level })
        // Scaled first: layers that read the same input share that product, and its gradient.
        return g.keep(g.mul(x, dropoutScale(level)), g.input(name, "bool", x.shape))
      },
    }),
    attend: rowAttention,
  })
  const hidden = architecture.forward(f, config) // [B*S, hidden]
  const count = chunks === 1 ? "N" : `${chunks}*N`
  const labelled = g.gather(hidden, g.input("rows", "i64", [count]), { distinct: true })
  const labels = g.input("labels", "i64", [count])
  const weights = g.input("weights", "f32", [count])
  const sums = g.linearCrossEntropy(
    { rows: labelled, head: f.head(labelled), labels, weights, cap: config.logitCap },
    chunks,
  )
  const penalty = withGradients
    ? method.penalty(g, sites, new Map(parameters.map(({ key, value }) => [key, value])))
    : null
  // What is added counts once an update: each batch of it brings its part.
  const own = penalty ? g.add(sums.loss, g.mul(penalty, g.input("penalty_part", "f32", []))) : sums.loss
  const apart = (): Value => {
    const frozen = new Forward({
      ...{ g, architecture, config, layout: base.layout, hooks: {}, join: false, attend: rowAttention },
      ...{ embed: (lookUp) => lookUp(ids), positions: g.input("base_position_ids", "i64", ["B", "T"]) },
      maxPositions: maxLength,
    })
    const rows = g.gather(architecture.forward(frozen, config), g.input("base_rows", "i64", [count]), {
      distinct: true,
    })
    const from = { rows, head: frozen.head(rows) }
    const kl = g.input("kl_weights", "f32", [count])
    return g.linearDivergence(
      { rows: labelled, head: f.head(labelled), from, weights: kl, cap: config.logitCap },
      chunks,
    )
  }
  const total = divergence && withGradients ? g.add(own, apart()) : own
  const [loss, correct] = joinThinProducts(g, [total, sums.correct]) as [Value, Value]
  g.output("loss", loss, { early: true })
  g.output("correct", correct, { early: true })
  if (withGradients) {
    const found = gradients(
      g,
      loss,
      trainables.map(({ value }) => value),
    )
    trainables.forEach(({ key }, i) => g.output(`grad:${key}`, found[i]!))
  }
  return { graph: g.finish(`train-${method.name}`), virtualTokens, prefixTokens, dropout, penalised: penalty !== null }
}
