/**
 * @module From logits to one token id: penalties, temperature, top-k, top-p, min-p and a seeded draw.
 *
 * Order: logit bias, repetition penalty, presence and frequency penalty, temperature, top-k, top-p (over what top-k
 * left), min-p. The warpers are in the order of Hugging Face's `GenerationMixin._get_logits_processor`.
 *
 * Sources: repetition penalty, Keskar et al. 2019 (CTRL) section 4.1, https://arxiv.org/abs/1909.05858; top-p, Holtzman
 * et al. 2019, https://arxiv.org/abs/1904.09751; min-p, Nguyen et al. 2024, https://arxiv.org/abs/2407.01082; presence
 * and frequency penalties, OpenAI's API reference.
 */
import { type Rng, rng } from "../core/rng.ts"
import { topIndices } from "./top-indices.ts"

/** How a token is picked. */
export interface SamplingOptions {
  /** Divides the logits; 0 takes the largest. @default {1} */
  readonly temperature: number
  /** Keep this many of the likeliest tokens; 0 keeps all. @default {0} */
  readonly topK: number
  /** Keep the fewest tokens whose probabilities sum to this; 1 keeps all. @default {1} */
  readonly topP: number
  /** Keep tokens at least this fraction as likely as the likeliest; 0 keeps all. @default {0} */
  readonly minP: number
  /** Divides positive and multiplies negative logits of tokens seen in prompt or completion; 1 is off. @default {1} */
  readonly repetitionPenalty: number
  /** Subtracted once from the logit of each token of the completion. @default {0} */
  readonly presencePenalty: number
  /** Subtracted from a token's logit for each time it stands in the completion. @default {0} */
  readonly frequencyPenalty: number
  /** Added to single tokens' logits. */
  readonly logitBias: readonly (readonly [id: number, bias: number])[]
  /** Equal seeds give equal tokens for equal requests. */
  readonly seed: number
}

/** Plain sampling: temperature 1, nothing filtered, nothing penalised. */
export const defaultSampling: SamplingOptions = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  seed: 0,
}

/** A token's logarithmic probability (natural) under the raw logits. */
export interface Logprob {
  readonly id: number
  readonly logprob: number
}

/**
 * The index of the largest logit; of equal ones the lowest.
 * @param logits [V]
 * @throws {Error} If every logit is NaN.
 */
export function argmax(logits: Float32Array): number {
  let best = -1
  let bestLogit = Number.NEGATIVE_INFINITY
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!
    if (logit > bestLogit || (best < 0 && logit === bestLogit)) {
      best = i
      bestLogit = logit
    }
  }
  if (best < 0) throw new Error("The model returned no usable logit: all of them are NaN")
  return best
}

/** CTRL's penalty, in place: each id of `seen` once, l / penalty where l > 0, l * penalty elsewhere. */
export function penaliseRepetition(logits: Float32Array, seen: Iterable<number>, penalty: number): void {
  for (const id of seen) {
    const logit = logits[id]!
    logits[id] = logit > 0 ? logit / penalty : logit * penalty
  }
}

/** OpenAI's penalties, in place: l - presence - frequency * count for each token of the completion. */
export function penaliseCounts(
  logits: Float32Array,
  counts: ReadonlyMap<number, number>,
  presence: number,
  frequency: number,
): void {
  for (const [id, count] of counts) logits[id] = logits[id]! - presence - frequency * count
}

/** Adds each bias to its token's logit, in place. @throws {RangeError} If an id is outside the vocabulary. */
export function addBias(logits: Float32Array, bias: SamplingOptions["logitBias"]): void {
  for (const [id, amount] of bias) {
    if (!(id >= 0 && id < logits.length)) {
      throw new RangeError(`Expected a token id below ${logits.length} but found ${id}`)
    }
    logits[id] = logits[id]! + amount
  }
}

/** The tokens left after filtering; probabilities sum to 1. */
export interface Candidates {
  readonly ids: ArrayLike<number>
  readonly probabilities: ArrayLike<number>
}

/**
 * What temperature, top-k, top-p and min-p leave of the logits: at least one token.
 * @param logits [V], penalties already applied
 * @param options with a temperature above 0
 */
export function candidatesOf(
  logits: Float32Array,
  options: Pick<SamplingOptions, "temperature" | "topK" | "topP" | "minP">,
): Candidates {
  const { temperature, topK, topP, minP } = options
  const top = logits[argmax(logits)]!
  // The likeliest token weighs 1; an infinite logit is as far from itself as any other: not at all.
  const distance = (id: number): number => (logits[id] === top ? 0 : (top - logits[id]!) / temperature)
  let ids: ArrayLike<number> =
    topK > 0 && topK < logits.length ? topIndices(logits, topK) : Int32Array.from(logits.keys())
  if (topP < 1) ids = nucleusOf(ids, distance, topP)
  if (minP > 0) ids = Array.from(ids).filter((id) => Math.exp(-distance(id)) >= minP)
  const probabilities = new Float64Array(ids.length)
  let total = 0
  for (let i = 0; i < ids.length; i++) {
    const weight = Math.exp(-distance(ids[i]!))
    probabilities[i] = Number.isNaN(weight) ? 0 : weight
    total += probabilities[i]!
  }
  for (let i = 0; i < probabilities.length; i++) probabilities[i]! /= total
  return { ids, probabilities }
}

/** Steps of the distance from the likeliest token; beyond the last one lies less than exp(-40). */
const steps = 1024
const stepsPerUnit = steps / 40

/**
 * The fewest tokens whose weights exp(-distance) sum to `topP` of the whole. Only the tokens at the border are sorted: a
 * flat distribution keeps tens of thousands.
 */
function nucleusOf(ids: ArrayLike<number>, distance: (id: number) => number, topP: number): number[] {
  const masses = new Float64Array(steps)
  const places = new Int16Array(ids.length)
  let total = 0
  for (let i = 0; i < ids.length; i++) {
    const far = distance(ids[i]!)
    const weight = Math.exp(-far)
    // NaN, and what is too far to be drawn, has no place.
    places[i] = weight > 0 ? Math.min(steps - 1, Math.floor(far * stepsPerUnit)) : steps
    if (weight > 0) masses[places[i]!]! += weight
    if (weight > 0) total += weight
  }
  let border = 0
  let mass = 0
  while (border < steps - 1 && mass + masses[border]! < topP * total) mass += masses[border++]!
  const kept: number[] = []
  const atBorder: number[] = []
  for (let i = 0; i < ids.length; i++) {
    if (places[i]! < border) kept.push(ids[i]!)
    else if (places[i] === border) atBorder.push(ids[i]!)
  }
  atBorder.sort((left, right) => distance(left) - distance(right) || left - right)
  for (const id of atBorder) {
    if (kept.length > 0 && mass >= topP * total) break
    kept.push(id)
    mass += Math.exp(-distance(id))
  }
  return kept
}

/**
 * The candidate at the place `u` of the cumulative distribution.
 * @param u in [0, 1)
 */
export function draw(candidates: Candidates, u: number): number {
  let mass = 0
  let last = candidates.ids[0]!
  for (let i = 0; i < candidates.ids.length; i++) {
    const probability = candidates.probabilities[i]!
    if (probability === 0) continue
    mass += probability
    last = candidates.ids[i]!
    if (u < mass) return last
  }
  return last // rounding left the sum a hair below 1
}

/**
 * The log-softmax of the raw logits at one token, and at the likeliest ones.
 * @param logits [V]
 * @param id the token that was picked
 * @param count how many of the likeliest to give, largest first
 */
export function logprobsOf(
  logits: Float32Array,
  id: number,
  count: number,
): { readonly logprob: number; readonly top: readonly Logprob[] } {
  const top = logits[argmax(logits)]!
  let total = 0
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i]! - top)
  const logTotal = top + Math.log(total)
  return {
    logprob: logits[id]! - logTotal,
    top: topIndices(logits, count).map((place) => ({ id: place, logprob: logits[place]! - logTotal })),
  }
}

/** Picks one request's tokens, one after the other, and remembers them for the penalties. */
export interface Sampler {
  /** Picks the next token. @param logits [V]; left as they are */
  next(logits: Float32Array): number
}

/**
 * A sampler for one request.
 * @param promptIds what the repetition penalty also looks at
 */
export function createSampler(options: SamplingOptions, promptIds: readonly number[]): Sampler {
  const random: Rng = rng(options.seed, "sample")
  const seen = new Set(options.repetitionPenalty === 1 ? [] : promptIds)
  const counts = new Map<number, number>()
  const counting = options.presencePenalty !== 0 || options.frequencyPenalty !== 0
  const shifting = counting || options.repetitionPenalty !== 1 || options.logitBias.length > 0
  let scratch = new Float32Array(0)
  return {
    next(logits) {
      let shifted = logits
      if (shifting) {
        if (scratch.length !== logits.length) scratch = new Float32Array(logits.length)
        scratch.set(logits)
        shifted = scratch
        addBias(shifted, options.logitBias)
        if (options.repetitionPenalty !== 1) penaliseRepetition(shifted, seen, options.repetitionPenalty)
        if (counting) penaliseCounts(shifted, counts, options.presencePenalty, options.frequencyPenalty)
      }
      const id = options.temperature === 0 ? argmax(shifted) : draw(candidatesOf(shifted, options), random.next())
      if (options.repetitionPenalty !== 1) seen.add(id)
      if (counting) counts.set(id, (counts.get(id) ?? 0) + 1)
      return id
    },
  }
}
