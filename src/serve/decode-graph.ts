/**
 * @module The decoding graph: new tokens of one or more sequences over their KV caches, to the logits of chosen rows and
 * the new keys and values. One token each for any number of rows, or any number of tokens for one row.
 *
 * Inputs: input_ids i64 [B, T] (or embeds f32 [B, T, hidden]), position_ids i64 [B, T], last i32 [B], total i32 [1],
 * places i64 [B, kvHeads, T, 1] (the positions of the new tokens, for each head), take i64 [R] (of the B * T rows, those
 * whose logits are wanted), past_k.<layer> and past_v.<layer> [B, kvHeads, P, D] or, with `headsApart`, [B, kvHeads, 1, P, D], and what the variant's features feed
 * (`decode-hooks.ts`).
 * Where an adapter has rows of its own in the token embedding, token_add f32 [B, T, hidden] is added to what is looked up; in a graph
 * that serves virtual tokens as well, after token_keep f32 [B, T, hidden] has multiplied it: by 1 for tokens, by 0 in their place.
 * Outputs: logits [R, vocabulary] (or, or also, states [R, hidden]) and new_kv [layers * 2 * B, kvHeads, T, D]: keys of layer 0,
 * values of layer 0, keys of layer 1 and so on. The caches are read only, and their owner writes what is new into them: an
 * engine that hands its outputs out as copies would else copy whole caches for every token. For one that keeps outputs in its
 * own memory the variant `caches` gives them out as well, with what is new in them: present_k.<layer> and present_v.<layer>.
 */
import { GraphBuilder } from "../graph/builder.ts"
import type { GraphModel, Value } from "../graph/ir.ts"
import type { ModelConfig } from "../models/architecture.ts"
import type { Base } from "../models/base.ts"
import type { RopeSettings } from "../models/blocks/rope-tables.ts"
import { type Attend, Forward } from "../models/forward.ts"
import type { Hooks } from "../models/hooks.ts"
import { type DecodeFeature, decodeHooks } from "./decode-hooks.ts"

/** A variant of the decoding graph: each is one session, made when first needed, and serves every adapter of its kind. */
export interface DecodeVariant {
  /** Embeddings go in instead of token ids. */
  readonly embeds: boolean
  /** Hidden states come out instead of logits, or beside them. @default {false} */
  readonly states?: boolean | "also"
  /** Something is added to the embeddings of tokens, or, with `keeps`, may also be in their place. @default {false} */
  readonly adds?: boolean | "keeps"
  /** The caches come out as well, with what is new in them. @default {false} */
  readonly caches?: boolean
  readonly features: ReadonlySet<DecodeFeature>
}

/** A name for a variant: variants of one name are the same graph. */
export const variantName = ({
  embeds,
  states = false,
  adds = false,
  caches = false,
  features,
}: DecodeVariant): string =>
  [
    embeds ? "embeds" : "ids",
    ...(states ? [states === "also" ? "logits-states" : "states"] : []),
    ...(adds ? [adds === "keeps" ? "keeps-adds" : "adds"] : []),
    ...(caches ? ["caches"] : []),
    ...[...features].sort(),
  ].join("+")

/** A layer's cache among a graph's inputs or outputs. */
export const cacheName = (when: "past" | "present", kind: "k" | "v", layer: number): string =>
  `${when}_${kind}.${layer}`

/** The outputs of a graph with `caches` that are caches. */
export const presentNames = ({ layers }: Pick<ModelConfig, "layers">): string[] =>
  Array.from({ length: layers }, (_, layer) => [
    cacheName("present", "k", layer),
    cacheName("present", "v", layer),
  ]).flat()

/** Whether attention over the cache rotates queries and keys itself: whole heads of sizes that its kernel takes. */
const rotatesInside = ({ headDim, attentionCap }: ModelConfig, rope: RopeSettings, window: number | null): boolean =>
  rope.dims === headDim && headDim % 16 === 0 && window === null && attentionCap === null

/** What the runtime that a decoding graph is for can do. */
export interface DecodeTarget {
  /** Let products with weights as codes round their input to 8 bits too: see `ForwardOptions`. @default {false} */
  readonly roundInputs?: boolean
  /** Take caches with an axis of 1 after the heads, as steps read them: for the fused lowering. @default {false} */
  readonly headsApart?: boolean
}

/**
 * Builds a variant, for rows of up to `maxPositions`.
 * @param hooksOf what acts at sites, in place of the variant's features
 */
export function decodeGraph(
  base: Base,
  variant: DecodeVariant,
  maxPositions: number,
  { roundInputs = false, headsApart = false }: DecodeTarget = {},
  hooksOf: (g: GraphBuilder) => Hooks = (g) => decodeHooks(g, base, variant.features),
): GraphModel {
  const g = new GraphBuilder()
  const { architecture, config } = base
  const { heads, kvHeads, headDim, hiddenSize } = config
  const ids = variant.embeds ? null : g.input("input_ids", "i64", ["B", "T"])
  const changes = variant.adds ? g.input("token_add", "f32", ["B", "T", hiddenSize]) : null
  const kept = variant.adds === "keeps" ? g.input("token_keep", "f32", ["B", "T", hiddenSize]) : null
  const embeds = variant.embeds ? g.input("embeds", "f32", ["B", "T", hiddenSize]) : null
  const positions = g.input("position_ids", "i64", ["B", "T"])
  const last = g.input("last", "i32", ["B"])
  const total = g.input("total", "i32", [1])
  const places = g.input("places", "i64", ["B", kvHeads, "T", 1])
  const added: Value[] = []

  const attend =
    (f: Forward): Attend =>
    (layer, q, k, v, whole) => {
      const [pastK, pastV] = (["k", "v"] as const).map((kind) =>
        g.input(cacheName("past", kind, layer), "f32", ["B", kvHeads, ...(headsApart ? [1] : []), "P", headDim]),
      ) as [Value, Value]
      const { rope, window } = config.attention[layer]!
      const inside = rope && rotatesInside(config, rope, window) ? f.ropeTables(rope) : null
      const tables = inside ? [inside.cos, inside.sin] : []
      const packed = inside !== null && Boolean(whole)
      const own = packed ? [whole!] : [...[q, k].map((x) => (inside ? x : f.rotated(layer, x))), v]
      const inputs = [...own, pastK, pastV, last, total, places, positions, ...tables]
      const attrs = {
        heads,
        kvHeads,
        scale: config.attentionScale,
        rotary: inside !== null,
        window,
        cap: config.attentionCap,
        packed,
      }
      const [y, keys, values] = g.cachedAttention(inputs, attrs)
      added.push(keys!, values!)
      if (variant.caches) {
        g.output(cacheName("present", "k", layer), g.placeRows(pastK, keys!, positions))
        g.output(cacheName("present", "v", layer), g.placeRows(pastV, values!, positions))
      }
      return y!
    }

  const f = new Forward({
    g,
    architecture,
    config,
    layout: base.layout,
    hooks: hooksOf(g),
    embed(lookUp) {
      if (embeds) return embeds
      const found = lookUp(ids!)
      return changes ? g.add(kept ? g.mul(found, kept) : found, changes) : found
    },
    positions,
    maxPositions,
    join: true,
    roundInputs,
    attend,
  })
  const hidden = architecture.forward(f, config)
  const rows = g.gather(hidden, g.input("take", "i64", ["R"]))
  if (variant.states) g.output("states", rows)
  if (variant.states !== true) g.output("logits", f.logits(rows))
  g.output("new_kv", g.concat(added, 0))
  return g.finish(`decode-${variantName(variant)}`)
}
