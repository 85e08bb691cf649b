/**
 * @module LoRA of the token embedding and of the output layer, where targets name them: E + s (B A)^T rows are looked up,
 * W + s B A gives the logits. Where one table is both, each has its own, as in PEFT.
 * PEFT layout: `<path>.lora_embedding_A` [r, vocabulary] and `<path>.lora_embedding_B` [hidden, r] of the embedding;
 * `<path>.lora_A.weight` [r, hidden] and `<path>.lora_B.weight` [vocabulary, r] of the output layer.
 */
import { EspalierError } from "../src/core/errors.ts"
import { f32, type Tensor } from "../src/core/tensor.ts"
import type { TableForm } from "../src/forms/form.ts"
import { product } from "../src/graph/dim.ts"
import type { Value } from "../src/graph/ir.ts"
import type { ParameterSpec, ReadWeight } from "../src/method.ts"
import type { HeadContext, LookUpContext } from "../src/models/hooks.ts"
import type { Site } from "../src/models/site.ts"
import { type LoraSettings, rankOf, scaleOf } from "./lora-settings.ts"
import { isMeant } from "./targets.ts"
import { sideOf, tableWeight } from "./whole-modules.ts"

/** Parameters at a table. */
export type TableName = "table_A" | "table_B"

/** Whether targets mean a path by its own name: `all-linear` means no table. */
const isNamed = (path: string, c: LoraSettings): boolean =>
  c.targets !== "all-linear" && c.targets !== "all" && isMeant(path, null, c)

/**
 * A and B of a table that is meant; none at any other site.
 * @throws {EspalierError} `unsupported` for learned positions, and for what begins with a weight's own directions
 */
export function tableParams(site: Site, c: LoraSettings): ParameterSpec<TableName>[] {
  const side = sideOf(site)
  if ((site.kind !== "embedding" && side === null) || !isNamed(site.path, c)) return []
  if (side === null || c.init === "pissa")
    throw new EspalierError(
      "unsupported",
      side === null ? `LoRA on the positions ${site.path} is not supported` : `PiSSA on ${site.path} is not supported`,
      { param: "method.targets" },
    )
  const r = rankOf(site.path, c)
  const key = `base_model.model.${site.path}`
  const faster = c.plusRatio !== 1 && { lrScale: c.plusRatio }
  if (site.kind === "embedding") {
    const normal = { kind: "normal", std: 1 } as const
    return [
      { name: "table_A", key: `${key}.lora_embedding_A`, shape: [r, site.entries], init: { kind: "zeros" } },
      { name: "table_B", key: `${key}.lora_embedding_B`, shape: [site.features, r], init: normal, ...faster },
    ]
  }
  if (site.kind !== "linear" && site.kind !== "tied_head") return []
  const bound = { kind: "uniform", bound: 1 / Math.sqrt(site.inFeatures) } as const
  const a = c.init === "gaussian" ? ({ kind: "normal", std: 1 / r } as const) : bound
  return [
    { name: "table_A", key: `${key}.lora_A.weight`, shape: [r, site.inFeatures], init: a },
    { name: "table_B", key: `${key}.lora_B.weight`, shape: [site.outFeatures, r], init: { kind: "zeros" }, ...faster },
  ]
}

type Factors<T> = Partial<Record<TableName, T>>

/** Rows of the embedding with its update; null where it has none. */
export function tableLookUp(
  { g, site, indices, frozen }: LookUpContext,
  { table_A, table_B }: Factors<Value>,
  c: LoraSettings,
): Value | null {
  if (!table_A || !table_B) return null
  const down = g.gather(g.transpose(table_A, [1, 0]), indices) // [..., r]
  const flat = g.reshape(down, [product(indices.shape), table_A.shape[0]!])
  const update = g.gemm(flat, table_B, { transB: true, alpha: scaleOf(site.path, c) })
  return g.add(frozen(indices), g.reshape(update, [...indices.shape, site.features]))
}

/** The output layer's weight with its update; null where it has none. Its input is dropped by no dropout. */
export function tableHead(
  { g, site, weight }: HeadContext,
  { table_A, table_B }: Factors<Value>,
  c: LoraSettings,
): Value | null {
  return table_A && table_B ? g.gemm(table_B, table_A, { alpha: scaleOf(site.path, c), c: weight() }) : null
}

/** What a table's update amounts to: the whole table. */
export async function tableForms(
  site: Site,
  { table_A, table_B }: Factors<Tensor<"f32">>,
  c: LoraSettings,
  read: ReadWeight,
): Promise<TableForm[]> {
  const side = sideOf(site)
  if (side === null || !table_A || !table_B) return []
  const r = table_A.shape[0]!
  // The embedding's B A is [hidden, vocabulary], the output layer's [vocabulary, hidden].
  const [rows, columns] = [table_B.shape[0]!, table_A.shape[1]!]
  const [entries, features] = side === "input" ? [columns, rows] : [rows, columns]
  const scale = scaleOf(site.path, c)
  const data = (await read(tableWeight(site))).slice()
  for (let token = 0; token < entries; token++)
    for (let k = 0; k < r; k++) {
      const ofToken = side === "input" ? table_A.data[k * columns + token]! : table_B.data[token * r + k]!
      if (ofToken === 0) continue
      for (let i = 0; i < features; i++) {
        const ofFeature = side === "input" ? table_B.data[i * r + k]! : table_A.data[k * columns + i]!
        data[token * features + i]! += scale * ofToken * ofFeature
      }
    }
  return [{ form: "table", side, ids: null, rows: f32([entries, features], data) }]
}
