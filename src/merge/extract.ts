/**
 * @module What fine-tuning changed of a base, as low-rank updates: the nearest ones of a wanted rank, or of the least rank
 * that loses no more than a wanted part, layer by layer (Eckart and Young 1936).
 */
import { f32 } from "../core/tensor.ts"
import type { LowrankForm } from "../forms/form.ts"
import { addScaled, frobenius, type Matrix, multiply } from "../linalg/matrix.ts"
import { type Truncation, truncateDense } from "../linalg/truncate.ts"
import type { LinearSite } from "../models/site.ts"
import { frozenWeight } from "./linear-change.ts"

/** A frozen weight as f32, by its checkpoint name. */
type Read = (name: string) => Promise<Float32Array>

/** A linear layer that was changed. */
export interface ExtractedLayer {
  readonly path: string
  readonly rank: number
  /** |change| / |weight|. */
  readonly change: number
  /** |extracted - change| / |change|. */
  readonly error: number
}

/** A weight that was changed and that low-rank updates can't hold: a norm's, a bias, an embedding. */
export interface LostWeight {
  readonly name: string
  /** |change| / |weight|. */
  readonly change: number
}

/** What came out. */
export interface Extraction {
  readonly forms: readonly LowrankForm[]
  readonly layers: readonly ExtractedLayer[]
  readonly lost: readonly LostWeight[]
  /** |extracted - change| / |change| over all linear layers together; 0 where nothing was changed. */
  readonly error: number
}

/** A part of the weight below which a change is rounding of the file's dtype. */
const ROUNDING = 1e-7

/**
 * @param sites linear layers that an update may sit on
 * @param names every weight of the checkpoint
 * @param base reads a weight of the base
 * @param tuned reads the same weight of the fine-tuned model
 */
export async function extractLowrank(
  { sites, names }: { readonly sites: readonly LinearSite[]; readonly names: Iterable<string> },
  base: Read,
  tuned: Read,
  truncation: Truncation,
): Promise<Extraction> {
  const forms: LowrankForm[] = []
  const layers: ExtractedLayer[] = []
  const total = { error: 0, change: 0 }
  for (const site of sites) {
    const weight = await frozenWeight(site, base)
    const delta = await frozenWeight(site, tuned)
    addScaled(delta, weight, -1)
    const [change, whole] = [frobenius(delta.data), frobenius(weight.data)]
    if (change <= ROUNDING * whole) continue
    const { b, a } = truncateDense(delta, truncation)
    const missing: Matrix = multiply(b, a)
    addScaled(missing, delta, -1)
    const error = frobenius(missing.data)
    total.error += error ** 2
    total.change += change ** 2
    layers.push({ path: site.path, rank: a.rows, change: change / whole, error: error / change })
    forms.push({
      form: "lowrank",
      path: site.path,
      a: f32([a.rows, a.columns], Float32Array.from(a.data)),
      b: f32([b.rows, b.columns], Float32Array.from(b.data)),
      scale: 1,
    })
  }
  const held = new Set(sites.map(({ path }) => `${path}.weight`))
  const lost: LostWeight[] = []
  for (const name of names) {
    if (held.has(name)) continue
    const [before, after] = [await base(name), await tuned(name)]
    const whole = frobenius(before)
    const change = frobenius(after.map((x, i) => x - before[i]!))
    if (change > ROUNDING * whole) lost.push({ name, change: whole === 0 ? 1 : change / whole })
  }
  return { forms, layers, lost, error: total.change === 0 ? 0 : Math.sqrt(total.error / total.change) }
}
