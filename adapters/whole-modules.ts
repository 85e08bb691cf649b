/**
 * @module What is trained whole beside low-rank updates: norms, the token embedding, the output layer (PEFT's
 * `modules_to_save`), or the rows of some tokens alone (`trainable_token_indices`).
 * PEFT layout: a module's weight and bias under its own path, `base_model.model.<path>.weight`; tokens' rows as
 * `<path>.token_adapter.trainable_tokens_delta` [tokens, hidden], which are those rows and no differences.
 *
 * Where one table is the token embedding and the output layer, a whole module is one of them alone, as in PEFT; rows of
 * tokens are both.
 */
import * as v from "valibot"
import { EspalierError } from "../src/core/errors.ts"
import { f32, i64, type Tensor } from "../src/core/tensor.ts"
import type { Form } from "../src/forms/form.ts"
import type { GraphBuilder } from "../src/graph/builder.ts"
import type { Value } from "../src/graph/ir.ts"
import type { MethodEnv, ParameterSpec } from "../src/method.ts"
import type { HeadContext, LookUpContext } from "../src/models/hooks.ts"
import type { Site } from "../src/models/site.ts"

const ids = v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(0))), v.minLength(1))

const name = v.pipe(v.string(), v.minLength(1))

/** Settings of methods that have it. */
export const wholeEntries = {
  /** Modules that are trained whole: every one whose path ends so, as `norm`, `embed_tokens` or `lm_head`. */
  save: v.optional(
    v.nullable(
      v.union([
        v.pipe(v.array(name), v.minLength(1)),
        v.pipe(
          name,
          v.transform((one) => [one]),
        ),
      ]),
    ),
    null,
  ),
  /** Tokens whose rows of the token embedding are trained; or by the name of a table, those of each. */
  tokens: v.optional(v.nullable(v.union([ids, v.record(v.string(), ids)])), null),
}
const schema = v.strictObject(wholeEntries)
type Whole = v.InferOutput<typeof schema>

/** Parameters at a site. */
export type WholeName = "whole" | "whole_bias" | "token_rows"

/** Whether a site is the token embedding or the output layer; null for any other. */
export function sideOf(site: Site): "input" | "output" | null {
  if (site.kind === "embedding") return site.role === "tokens" ? "input" : null
  return site.kind === "tied_head" || (site.kind === "linear" && site.role === "head") ? "output" : null
}

/**
 * Whether a module is to be trained whole, or one that holds it. By PEFT's rule a name is the end of a path, of a word too.
 */
function isSaved(site: Site, { save }: Whole): boolean {
  if (save === null || site.kind === "residual" || site.path === "") return false
  const parts = site.path.split(".")
  const holders = parts.map((_, i) => parts.slice(0, i + 1).join("."))
  return save.some((name) => holders.some((path) => path.endsWith(name)))
}

const KEY = "base_model.model."

/**
 * What is trained whole at a site.
 * @throws {EspalierError} `unsupported` for a module that can't be served beside the base: a linear layer, positions
 */
export function wholeParams(site: Site, c: Whole, env: MethodEnv): ParameterSpec<WholeName>[] {
  if (!isSaved(site, c)) return tokenParams(site, c, env)
  const weight = { name: "whole", key: `${KEY}${site.path}.weight` } as const
  if (site.kind === "norm") {
    const spec = (name: "whole" | "whole_bias", part: string): ParameterSpec<WholeName> => ({
      name,
      key: `${KEY}${site.path}.${part}`,
      shape: [site.features],
      init: { kind: "weight", name: `${site.path}.${part}` },
      decay: false,
    })
    return [spec("whole", "weight"), ...(site.bias ? [spec("whole_bias", "bias")] : [])]
  }
  if (sideOf(site) === null)
    throw new EspalierError("unsupported", `Training ${site.path} whole beside an adapter is not supported`, {
      hint: "Norms, the token embedding and the output layer are. --method selective trains whole layers, as a base of its own",
      param: "method.save",
    })
  const init = { kind: "weight", name: tableWeight(site) } as const
  return [{ ...weight, shape: [env.config.vocabSize, env.config.hiddenSize], init }]
}

/** The checkpoint's name of a table's weight. */
export const tableWeight = (site: Site): string => (site.kind === "tied_head" ? site.weight : `${site.path}.weight`)

/** Rows of tokens at a table. */
function tokenParams(site: Site, c: Whole, env: MethodEnv): ParameterSpec<WholeName>[] {
  const ids = tokensOf(site, c)
  if (!ids) return []
  const { config } = env
  const wrong = ids.find((id, i) => id >= config.vocabSize || ids.indexOf(id) < i)
  if (wrong !== undefined)
    throw new EspalierError(
      "invalid_request",
      `Expected tokens below ${config.vocabSize}, each of them once, but found ${wrong}`,
      { param: "method.tokens" },
    )
  // One table that is both has one set of rows, unless its output layer was given other tokens.
  const shared = site.kind === "tied_head" && ids === inputTokens(embeddingOf(site), c)
  const path = shared ? embeddingOf(site) : site.path
  return [
    {
      name: "token_rows",
      key: `${KEY}${path}.token_adapter.trainable_tokens_delta`,
      shape: [ids.length, config.hiddenSize],
      init: { kind: "rows", weight: tableWeight(site), ids },
    },
  ]
}

/** The path of the token embedding, from a site of it or of the output layer that is tied to it. */
const embeddingOf = (site: Site): string => tableWeight(site).replace(/\.weight$/, "")

/** Tokens of the token embedding. */
function inputTokens(path: string, { tokens }: Whole): readonly number[] | null {
  if (tokens === null || Array.isArray(tokens)) return tokens
  return Object.entries(tokens).find(([name]) => path.endsWith(name))?.[1] ?? null
}

const HEAD = "lm_head"

/** The tokens whose rows of a table are trained; null for none. */
function tokensOf(site: Site, c: Whole): readonly number[] | null {
  const side = sideOf(site)
  if (side === null || c.tokens === null) return null
  const own = Array.isArray(c.tokens) ? null : (c.tokens[HEAD] ?? null)
  if (side === "output" && site.kind !== "tied_head") return own
  const input = inputTokens(embeddingOf(site), c)
  if (side === "input") return input
  return own === null || own.join() === input?.join() ? input : own
}

type WholeValues = Partial<Record<WholeName, Value>>

const idsConstant = (g: GraphBuilder, ids: readonly number[]): Value => g.constant(i64([ids.length], ids))

/** What stands in place of a norm's weight and bias. */
export const wholeNorm = ({ whole, whole_bias }: WholeValues): { readonly weight?: Value; readonly bias?: Value } => ({
  ...(whole && { weight: whole }),
  ...(whole_bias && { bias: whole_bias }),
})

/** What is looked up in a table whose rows are trained, or null. */
export function wholeLookUp(
  { g, site, indices, frozen }: LookUpContext,
  { whole, token_rows }: WholeValues,
  c: Whole,
): Value | null {
  if (whole) return g.gather(whole, indices)
  const ids = tokensOf(site, c)
  if (!token_rows || !ids) return null
  const change = g.sub(token_rows, frozen(idsConstant(g, ids)))
  // Tokens that are not trained change by a row of zeros, the first.
  const none = g.constant(f32([1, site.features], new Float32Array(site.features)))
  const places = new Array<number>(site.entries).fill(0)
  for (const [i, id] of ids.entries()) places[id] = i + 1
  const place = g.gather(g.constant(i64([site.entries], places)), indices)
  return g.add(frozen(indices), g.gather(g.concat([none, change], 0), place))
}

/** The output layer where its weight, or some rows of it, are trained; null where they are not. */
export function wholeHead(
  { g, site, weight }: HeadContext,
  { whole, token_rows }: WholeValues,
  c: Whole,
): Value | null {
  const ids = tokensOf(site, c)
  if (whole) return whole
  if (!token_rows || !ids) return null
  const frozen = weight()
  const change = g.sub(token_rows, g.gather(frozen, idsConstant(g, ids)))
  return g.scatterAdd(frozen, idsConstant(g, ids), change, { distinct: true })
}

/** What a site's tensors amount to. */
export function wholeForms(
  site: Site,
  { whole, whole_bias, token_rows }: Partial<Record<WholeName, Tensor<"f32">>>,
  c: Whole,
): Form[] {
  if (site.kind === "norm") {
    const parts = { weight: whole, bias: whole_bias }
    return Object.entries(parts).flatMap(([part, value]) =>
      value ? [{ form: "weights" as const, name: `${site.path}.${part}`, value }] : [],
    )
  }
  const side = sideOf(site)
  if (side === null) return []
  if (whole) return [{ form: "table", side, ids: null, rows: whole }]
  const ids = tokensOf(site, c)
  return token_rows && ids ? [{ form: "table", side, ids, rows: token_rows }] : []
}

/** These settings from PEFT's configuration. @throws {EspalierError} `unsupported` where PEFT would tie what is trained */
export function readWhole(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const targets = json["target_modules"]
  const tables = Array.isArray(targets) ? targets.some((name) => /(^|\.)(embed_tokens|wte|lm_head)$/.test(name)) : true
  if (json["ensure_weight_tying"] === true && (tables || (json["modules_to_save"] ?? null) !== null))
    throw new EspalierError("unsupported", "adapter_config.json: ensure_weight_tying = true is not supported", {
      param: "ensure_weight_tying",
    })
  const list = (field: string): unknown => {
    const value = json[field] ?? null
    return Array.isArray(value) && value.length === 0 ? null : value
  }
  return { save: list("modules_to_save"), tokens: list("trainable_token_indices") }
}

/** PEFT's configuration of them. */
export const writeWhole = ({ save, tokens }: Whole): Record<string, unknown> => ({
  modules_to_save: save,
  trainable_token_indices: tokens,
})
