/**
 * @module What an adapter has of its own in place of the base's token embedding and output layer (`TableForm`), as it is
 * served: the embedding as what is added to the frozen rows of a sequence's tokens, so that sequences of any adapters share a
 * run; the output layer as a small graph of its own after the run, with the weight as an input.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { Form, TableForm } from "../forms/form.ts"
import { GraphBuilder } from "../graph/builder.ts"
import type { GraphModel } from "../graph/ir.ts"
import { headWeight } from "../models/architecture.ts"
import type { Base } from "../models/base.ts"

/** What is added to the embeddings of some tokens, or of all. */
export interface TokenRows {
  /** The tokens; null for the whole vocabulary. */
  readonly ids: readonly number[] | null
  /** f32 [tokens, hidden] */
  readonly data: Float32Array
}

const tables = (forms: readonly Form[], side: TableForm["side"]): TableForm[] =>
  forms.filter((form): form is TableForm => form.form === "table" && form.side === side)

/** Changes of the token embedding; none where an adapter leaves it alone. */
export async function tokenRows(base: Base, forms: readonly Form[]): Promise<TokenRows[]> {
  const own = tables(forms, "input")
  if (own.length === 0) return []
  const { hiddenSize, tokenScale } = base.config
  const frozen = await base.read(`${base.architecture.tokenEmbedding}.weight`)
  return own.map(({ ids, rows }) => ({
    ids,
    data: rows.data.map((x, i) => {
      const [row, column] = [Math.floor(i / hiddenSize), i % hiddenSize]
      return tokenScale * (x - frozen[(ids?.[row] ?? row) * hiddenSize + column]!)
    }),
  }))
}

/** Adds the changes of a row of tokens to embeddings [tokens, hidden]. */
export function addTokenRows(changes: readonly TokenRows[], embeddings: Float32Array, tokens: readonly number[]): void {
  const width = embeddings.length / tokens.length
  for (const { ids, data } of changes)
    for (const [at, token] of tokens.entries()) {
      const row = ids === null ? token : ids.indexOf(token)
      if (row < 0) continue
      for (let i = 0; i < width; i++) embeddings[at * width + i]! += data[row * width + i]!
    }
}

/** An output layer [vocabulary, hidden] of its own, or null where an adapter leaves the base's alone. */
export async function ownHead(base: Base, forms: readonly Form[]): Promise<Tensor<"f32"> | null> {
  const own = tables(forms, "output")
  if (own.length === 0) return null
  const { hiddenSize, vocabSize } = base.config
  const whole = own.find(({ ids }) => ids === null)
  // Rows of tokens are written into a copy: the form is the adapter's, and may be bound again.
  const data =
    whole && own.length === 1
      ? whole.rows.data
      : (whole?.rows.data ?? (await base.read(headWeight(base.architecture, base.config)))).slice()
  for (const { ids, rows } of own)
    for (const [row, id] of (ids ?? []).entries())
      data.set(rows.data.subarray(row * hiddenSize, (row + 1) * hiddenSize), id * hiddenSize)
  return f32([vocabSize, hiddenSize], data)
}

/** Logits [R, vocabulary] of states f32 [R, hidden] by a weight f32 [vocabulary, hidden]. */
export function headGraph({ config }: Base): GraphModel {
  const g = new GraphBuilder()
  const states = g.input("states", "f32", ["R", config.hiddenSize])
  const weight = g.input("weight", "f32", [config.vocabSize, config.hiddenSize])
  g.output("logits", g.softCap(g.gemm(states, weight, { transB: true }), config.logitCap))
  return g.finish("head")
}
