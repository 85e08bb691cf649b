/**
 * @module The adapters that go into a merge, sorted by what they are made of.
 */
import { EspalierError } from "../core/errors.ts"
import type { Form } from "../forms/form.ts"
import type { Site } from "../models/site.ts"
import { type MergeMethod, mergeMethods } from "./recipe.ts"

/** One adapter of a merge. */
export interface MergeSource {
  readonly name: string
  readonly weight: number
  readonly forms: readonly Form[]
}

/** What merging needs of the base. */
export interface MergeBase {
  readonly name: string
  readonly sites: readonly Site[]
  /** A frozen weight as f32, in the checkpoint's shape. */
  read(name: string): Promise<Float32Array>
}

/**
 * What an adapter is made of, as merging sees it. Low-rank updates may have biases beside them. `dense` is whatever changes weights by more than a low-rank sum, such as
 * DoRA: its change is known only with the base's weight.
 */
export type MergeKind = "lowrank" | "dense" | "scale" | "bias" | "norm" | "prompt" | "prefix" | "bottleneck"

const allowed: Readonly<Record<MergeKind, readonly MergeMethod[]>> = {
  lowrank: ["linear", "cat", "svd", "ties", "dare", "dare-ties", "magnitude", "slerp"],
  dense: ["svd", "ties", "dare", "dare-ties", "magnitude", "slerp"],
  scale: ["linear", "product", "ties", "dare", "dare-ties", "magnitude", "slerp"],
  bias: ["linear", "ties", "dare", "dare-ties", "magnitude", "slerp"],
  norm: ["linear", "ties", "dare", "dare-ties", "magnitude", "slerp"],
  prompt: ["linear", "cat"],
  prefix: ["linear", "cat"],
  bottleneck: ["linear", "cat"],
}

const names: Readonly<Record<MergeKind, string>> = {
  lowrank: "low-rank updates",
  dense: "changes that depend on the base's weights, such as DoRA's",
  scale: "vectors that scale",
  bias: "biases",
  norm: "norms' weights",
  prompt: "soft prompts",
  prefix: "prefixes",
  bottleneck: "bottlenecks",
}

/** The method that is taken where none is named. */
export const defaultMethod = (kind: MergeKind): MergeMethod => (kind === "dense" ? "svd" : "linear")

/** Whether weights are without meaning: what is put side by side is there whole. */
export const isWeightless = (kind: MergeKind, method: MergeMethod): boolean =>
  method === "cat" && (kind === "prompt" || kind === "prefix")

/**
 * What several adapters have in common.
 * @throws {EspalierError} `unsupported` where adapters of different kinds can't become one, `invalid_request` for none
 */
export function kindOf(sources: readonly Pick<MergeSource, "name" | "forms">[]): MergeKind {
  if (sources.length === 0) throw new EspalierError("invalid_request", "There is no adapter to merge")
  const kinds = sources.map(({ name, forms }) => ({ name, kind: kindOfOne(name, forms) }))
  const distinct = [...new Set(kinds.map(({ kind }) => kind))]
  if (distinct.length === 1) return distinct[0]!
  if (distinct.every((kind) => kind === "lowrank" || kind === "dense" || kind === "scale")) return "dense"
  const found = kinds.map(({ name, kind }) => `"${name}" is made of ${names[kind]}`)
  throw new EspalierError("unsupported", `Adapters of different kinds don't merge: ${found.join(", ")}`, {
    hint: "Fuse one of them into the base with --fuse, and train or load the other over the result",
  })
}

function kindOfOne(name: string, forms: readonly Form[]): MergeKind {
  const found = new Set(forms.map(({ form }) => form))
  const has = (form: Form["form"]): boolean => found.has(form)
  const only = (...allowed: Form["form"][]): boolean => [...found].every((form) => allowed.includes(form))
  if (found.size === 0) throw new EspalierError("invalid_request", `Adapter "${name}" is empty`)
  if (has("table"))
    throw new EspalierError(
      "unsupported",
      `Adapter "${name}" has a token embedding or an output layer of its own, which can't be merged`,
      { hint: "Fuse it into the base with --fuse" },
    )
  if (has("lowrank") && only("lowrank", "bias")) return "lowrank"
  if (only("scale")) return "scale"
  if (only("bias")) return "bias"
  if (only("weights")) return "norm"
  if (only("prompt")) return "prompt"
  if (only("prefix")) return "prefix"
  if (only("bottleneck")) return "bottleneck"
  if (only("lowrank", "scale", "bias") && has("scale")) return "dense"
  throw new EspalierError("unsupported", `Adapter "${name}" mixes ${[...found].join(", ")}, which can't be merged`)
}

/** @throws {EspalierError} `unsupported` naming what can be done instead */
export function checkMethod(kind: MergeKind, method: MergeMethod, sources: readonly MergeSource[]): void {
  if (!allowed[kind].includes(method))
    throw new EspalierError("unsupported", `Method ${method} (${mergeMethods[method]}) is not for ${names[kind]}`, {
      hint: `Take one of: ${allowed[kind].join(", ")}`,
      param: "method",
    })
  if (method === "slerp" && sources.length !== 2)
    throw new EspalierError("invalid_request", `Method slerp wants two adapters but found ${sources.length}`, {
      param: "method",
    })
  if (method === "slerp" && !sources.every(({ weight }) => weight >= 0))
    throw new EspalierError("invalid_request", "Method slerp wants weights of at least 0", { param: "weights" })
  if (method === "slerp" && sources.every(({ weight }) => weight === 0))
    throw new EspalierError("invalid_request", "Method slerp wants a weight above 0", { param: "weights" })
  const weighted = sources.find(({ weight }) => weight !== 1)
  if (weighted && isWeightless(kind, method))
    throw new EspalierError(
      "invalid_request",
      `${names[kind]} that are put one after the other have no weights, but "${weighted.name}" has ${weighted.weight}`,
      { hint: "Leave the weights out, or take --method linear, which averages", param: "weights" },
    )
}
