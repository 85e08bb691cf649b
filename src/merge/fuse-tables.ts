/**
 * @module The token embedding and the output layer of a base with adapters' own fused in. One table that is both in the base
 * becomes two, where adapters change one of them alone.
 */
import { f32, type Tensor } from "../core/tensor.ts"
import type { TableForm } from "../forms/form.ts"
import type { MergeBase, MergeSource } from "./source.ts"

/** The output layer's weight, where it is not the token embedding. */
const HEAD = "lm_head.weight"

/** Sets the tables that adapters change: the base's, and the weighted differences from them. */
export async function fuseTables(
  sources: readonly MergeSource[],
  { sites, read }: MergeBase,
  weights: Map<string, Tensor<"f32">>,
): Promise<void> {
  const changesOf = (side: TableForm["side"]) =>
    sources.flatMap(({ forms, weight }) =>
      forms.flatMap((form) => (form.form === "table" && form.side === side ? [{ ...form, weight }] : [])),
    )
  const [inputs, outputs] = [changesOf("input"), changesOf("output")]
  if (inputs.length + outputs.length === 0) return
  const embedding = sites.find((site) => site.kind === "embedding" && site.role === "tokens")
  if (embedding?.kind !== "embedding") throw new TypeError("The base has no token embedding")
  const name = `${embedding.path}.weight`
  const { entries, features } = embedding
  const table = f32([entries, features], await read(name))
  const input = changed(table, inputs)
  if (!embedding.tiedHead) {
    if (inputs.length > 0) weights.set(name, input)
    if (outputs.length > 0) weights.set(HEAD, changed(f32(table.shape, await read(HEAD)), outputs))
    return
  }
  const output = changed(table, outputs)
  weights.set(name, input)
  if (output.data.some((x, i) => x !== input.data[i])) weights.set(HEAD, output)
}

/** A table [vocabulary, hidden] with weighted differences of rows. */
function changed(table: Tensor<"f32">, changes: readonly (TableForm & { readonly weight: number })[]): Tensor<"f32"> {
  const features = table.shape[1]!
  const data = table.data.slice()
  for (const { ids, rows, weight } of changes)
    for (let row = 0; row < rows.shape[0]!; row++) {
      const start = (ids?.[row] ?? row) * features
      const own = rows.data.subarray(row * features, (row + 1) * features)
      // One adapter as it is: to the last bit.
      if (changes.length === 1 && weight === 1) data.set(own, start)
      else for (let i = 0; i < features; i++) data[start + i]! += weight * (own[i]! - table.data[start + i]!)
    }
  return f32(table.shape, data)
}
