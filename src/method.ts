/**
 * @module The contract of a fine-tuning method: which parameters it wants at which sites, what it does with them there,
 * and which forms it leaves behind. A method is one file in `adapters/`; nothing else in the repository knows its name.
 */
import * as v from "valibot"
import { EspalierError } from "./core/errors.ts"
import { issueText } from "./core/issue-text.ts"
import type { Rng } from "./core/rng.ts"
import type { Tensor } from "./core/tensor.ts"
import type { Form } from "./forms/form.ts"
import type { GraphBuilder } from "./graph/builder.ts"
import type { Value } from "./graph/ir.ts"
import type { ModelConfig } from "./models/architecture.ts"
import type { HeadContext, Hooks, LayerContext, LookUpContext, ResidualContext } from "./models/hooks.ts"
import type { EmbeddingSite, LinearSite, NormSite, PrefixSite, PromptSite, Site } from "./models/site.ts"

/** What an initialisation may look at. */
export interface InitTools {
  /** A frozen weight as f32, by its checkpoint name. */
  read(name: string): Promise<Float32Array>
  /** A stream of random numbers of this parameter's own. */
  readonly random: Rng
  /**
   * The frozen base's keys and values of a row of tokens, rotated as its cache holds them: f32 flat
   * [tokens, 2 * layers, kvHeads, headDim], each layer's keys before its values.
   */
  keysAndValues(ids: readonly number[]): Promise<Float32Array>
}

/** How a parameter begins. */
export type Init =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly std: number }
  /** Normal with the standard deviation of a frozen weight's elements, times `scale` (1 where absent). */
  | { readonly kind: "normal-like"; readonly weight: string; readonly scale?: number }
  /** A copy of a frozen weight. */
  | { readonly kind: "weight"; readonly name: string }
  /** Rows of a frozen table, times `scale` (1 where absent). */
  | { readonly kind: "rows"; readonly weight: string; readonly ids: readonly number[]; readonly scale?: number }
  /** Anything else: f32 flat, of the parameter's shape. */
  | { readonly kind: "computed"; make(tools: InitTools): Float32Array | Promise<Float32Array> }

/** A parameter that a method wants at a site. */
export interface ParameterSpec<N extends string = string> {
  /** Its name at the site, by which hooks find it. */
  readonly name: N
  /** Its key in the adapter file. Sites that name the same key share one parameter. */
  readonly key: string
  readonly shape: readonly number[]
  readonly init: Init
  /** Whether weight decay applies. @default {true} */
  readonly decay?: boolean
  /** Factor on the learning rate. @default {1} */
  readonly lrScale?: number
  /** A part of the adapter that stays as it begins: it has no gradient. @default {false} */
  readonly frozen?: boolean
  /** Something to remember from update to update: kept with the trained values, without a gradient. @default {false} */
  readonly state?: boolean
}

/** What a method may look at and change after an update: parameters and state by key, in place. */
export interface UpdateContext {
  /** Updates made, this one included. */
  readonly step: number
  /** Updates of the whole run. */
  readonly steps: number
  readonly values: ReadonlyMap<string, Float32Array>
  /** The update's gradients, by key. */
  readonly gradients: ReadonlyMap<string, Float32Array>
}

/** What a method may ask of the base. */
export interface MethodEnv {
  readonly config: ModelConfig
  readonly sites: readonly Site[]
  /** Checkpoint name of the token embedding. */
  readonly tokenEmbedding: string
  /** Text to token ids. @throws {EspalierError} `invalid_request` where the base has no tokenizer. */
  encode(text: string): readonly number[]
  /** A stream of random numbers for one purpose. */
  rng(purpose: string): Rng
}

/** Nodes that a method adds, by kind of site; a site without parameters is left alone. */
export interface MethodHooks<C, N extends string> {
  linear?(context: LayerContext<LinearSite>, p: Record<N, Value>, config: C): Value
  norm?(context: LayerContext<NormSite>, p: Record<N, Value>, config: C): Value
  residual?(context: ResidualContext, p: Record<N, Value>, config: C): Value
  embedding?(
    context: { readonly g: GraphBuilder; readonly site: EmbeddingSite; weight(): Value },
    p: Record<N, Value>,
    config: C,
  ): Value
  /** Null where the site's parameters leave look-ups as they are. */
  lookUp?(context: LookUpContext, p: Record<N, Value>, config: C): Value | null
  head?(context: HeadContext, p: Record<N, Value>, config: C): Value | null
  prompt?(context: { readonly g: GraphBuilder; readonly site: PromptSite }, p: Record<N, Value>, config: C): Value
  prefix?(
    context: { readonly g: GraphBuilder; readonly site: PrefixSite; readonly layer: number },
    p: Record<N, Value>,
    config: C,
  ): { keys: Value; values: Value }
}

/** What a method leaves in the adapter file, where that isn't what it trains: an encoder's output, say. */
export interface StoredParameters<C, N extends string, M extends string> {
  params(site: Site, config: C, env: MethodEnv): readonly ParameterSpec<M>[]
  /** A site's tensors for the file from the trained ones. */
  from(site: Site, p: Record<N, Tensor<"f32">>, config: C): Record<M, Tensor<"f32">>
}

/** A frozen weight as f32, by its checkpoint name. */
export type ReadWeight = (name: string) => Promise<Float32Array>

/** How a method is written to and read from a PEFT folder. */
export interface PeftLayout<C> {
  /** `peft_type` of adapter_config.json. */
  readonly type: string
  /** Whether this method is the one that wrote a configuration of that type. @default always */
  matches?(json: Readonly<Record<string, unknown>>): boolean
  /** The method's own part of adapter_config.json. */
  write(config: C, env: MethodEnv): Record<string, unknown>
  /** The method's settings from an adapter_config.json. @throws {EspalierError} `unsupported` for what it can't compute. */
  read(json: Readonly<Record<string, unknown>>): unknown
}

/** A method as its file declares it. */
export interface MethodDefinition<S extends v.GenericSchema, N extends string, M extends string = N> {
  readonly name: string
  /** One line for `--help`: what it is for. */
  readonly summary: string
  /** The paper. */
  readonly source: string
  readonly config: S
  /** A learning rate that works for it. */
  readonly learningRate: number
  params(site: Site, config: v.InferOutput<S>, env: MethodEnv): readonly ParameterSpec<N>[]
  readonly hooks: MethodHooks<v.InferOutput<S>, N>
  /** Added to the loss in training: a scalar, or null. `all` are the parameters of each site. */
  penalty?(g: GraphBuilder, all: readonly Record<N, Value>[], config: v.InferOutput<S>): Value | null
  /** Called after each update. */
  afterUpdate?(context: UpdateContext, all: readonly SiteParameters[], config: v.InferOutput<S>): void
  /** What goes into the adapter file. @default what is trained */
  readonly stored?: StoredParameters<v.InferOutput<S>, N, M>
  /** Virtual tokens that it puts before each row, of either kind. @default none */
  virtualTokens?(config: v.InferOutput<S>): number
  /** What the stored parameters of a site amount to. @param read frozen weights, for forms that depend on them */
  finish(
    site: Site,
    p: Record<M, Tensor<"f32">>,
    config: v.InferOutput<S>,
    read: ReadWeight,
  ): readonly Form[] | Promise<readonly Form[]>
  /** Null where PEFT has no such method: the result is then saved as a base of its own. */
  readonly peft: PeftLayout<v.InferOutput<S>> | null
}

/** A site's parameters. */
export interface SiteParameters {
  readonly site: Site
  readonly params: readonly ParameterSpec[]
}

/** A method with its settings filled in. */
export interface PreparedMethod {
  readonly name: string
  /** The settings, defaults included: plain JSON. */
  readonly config: unknown
  readonly learningRate: number
  readonly peftType: string | null
  /** Virtual tokens before each row. */
  readonly virtualTokens: number
  /** What is trained, in the order of the sites. @throws {EspalierError} `invalid_request` if there is nothing. */
  parameters(env: MethodEnv): SiteParameters[]
  /** What the adapter file holds, in the order of the sites. */
  stored(env: MethodEnv): SiteParameters[]
  /** The file's tensors from the trained ones, both by key. */
  store(env: MethodEnv, trained: ReadonlyMap<string, Tensor<"f32">>): Map<string, Tensor<"f32">>
  /** What is added to the loss in training, or null; values by key. */
  penalty(g: GraphBuilder, all: readonly SiteParameters[], values: ReadonlyMap<string, Value>): Value | null
  /** To be called after each update; null where the method does nothing then. */
  readonly afterUpdate: ((context: UpdateContext, all: readonly SiteParameters[]) => void) | null
  /** Hooks over the parameters' values, given by key. */
  hooks(all: readonly SiteParameters[], values: ReadonlyMap<string, Value>): Hooks
  /** Forms of the file's tensors, given by key. */
  finish(
    stored: readonly SiteParameters[],
    tensors: ReadonlyMap<string, Tensor<"f32">>,
    read: ReadWeight,
  ): Promise<Form[]>
  /** The method's part of adapter_config.json, or null. */
  writePeft(env: MethodEnv): Record<string, unknown> | null
}

/** A method as the rest of the project sees it. */
export interface Method {
  readonly name: string
  readonly summary: string
  readonly source: string
  readonly config: v.GenericSchema
  readonly learningRate: number
  readonly peft:
    | (Pick<PeftLayout<unknown>, "type" | "read"> & { matches(json: Readonly<Record<string, unknown>>): boolean })
    | null
  /** @throws {EspalierError} `invalid_request` naming each field that is wrong. */
  prepare(config: unknown): PreparedMethod
}

const siteKey = (site: Site): string => `${site.kind}:${site.path}`

/** Turns a declaration into a method. */
export function defineMethod<S extends v.GenericSchema, const N extends string, const M extends string = N>(
  definition: MethodDefinition<S, N, M>,
): Method {
  const { name, summary, source, learningRate, peft } = definition
  return {
    name,
    summary,
    source,
    config: definition.config,
    learningRate,
    peft: peft && { type: peft.type, read: peft.read, matches: peft.matches ?? (() => true) },
    prepare(raw) {
      const config = parseSettings(name, definition.config, raw)
      return {
        name,
        config,
        learningRate,
        peftType: peft?.type ?? null,
        virtualTokens: definition.virtualTokens?.(config) ?? 0,
        parameters: (env) => sitesWith((site) => definition.params(site, config, env), env, name),
        stored: (env) => sitesWith((site) => storedParams(definition, site, config, env), env, name),
        store(env, trained) {
          const { stored } = definition
          const all = this.parameters(env)
          if (!stored) return new Map(all.flatMap(({ params }) => params.map(({ key }) => [key, trained.get(key)!])))
          return new Map(
            all.flatMap(({ site, params }) => {
              const found = stored.from(site, pick(params, trained) as Record<N, Tensor<"f32">>, config)
              return stored.params(site, config, env).map((spec) => [spec.key, found[spec.name]] as const)
            }),
          )
        },
        penalty: (g, all, values) =>
          definition.penalty?.(
            g,
            all.map(({ params }) => pick(params.filter(inGraph), values) as Record<N, Value>),
            config,
          ) ?? null,
        afterUpdate: definition.afterUpdate ? (context, all) => definition.afterUpdate!(context, all, config) : null,
        hooks: (all, values) => hooksOver(definition, config, all, values),
        async finish(stored, tensors, read) {
          const forms: Form[] = []
          for (const { site, params } of stored)
            forms.push(
              ...(await definition.finish(site, pick(params, tensors) as Record<M, Tensor<"f32">>, config, read)),
            )
          return forms
        },
        writePeft: (env) => (peft ? { peft_type: peft.type, ...peft.write(config, env) } : null),
      }
    },
  }
}

/** Sites that have parameters, with them. */
function sitesWith(
  params: (site: Site) => readonly ParameterSpec[],
  { sites }: MethodEnv,
  name: string,
): SiteParameters[] {
  const all = sites.map((site) => ({ site, params: params(site) })).filter((each) => each.params.length > 0)
  if (all.length > 0) return all
  throw new EspalierError("invalid_request", `Method ${name} finds nothing to train with these settings`, {
    param: "method",
  })
}

const storedParams = <S extends v.GenericSchema, N extends string, M extends string>(
  definition: MethodDefinition<S, N, M>,
  site: Site,
  config: v.InferOutput<S>,
  env: MethodEnv,
): readonly ParameterSpec[] => (definition.stored?.params ?? definition.params)(site, config, env)

/** Whether a parameter is an input of the graph. */
export const inGraph = ({ state }: ParameterSpec): boolean => state !== true

function pick<T>(params: readonly ParameterSpec[], values: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries(
    params.map(({ name, key }) => {
      const value = values.get(key)
      if (value === undefined) throw new TypeError(`Parameter ${key} has no value`)
      return [name, value]
    }),
  )
}

function hooksOver<S extends v.GenericSchema, N extends string, M extends string>(
  { hooks }: MethodDefinition<S, N, M>,
  config: v.InferOutput<S>,
  all: readonly SiteParameters[],
  values: ReadonlyMap<string, Value>,
): Hooks {
  const bySite = new Map(
    all.map(({ site, params }) => [siteKey(site), pick(params.filter(inGraph), values) as Record<N, Value>]),
  )
  return {
    linear(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.linear ? hooks.linear(context, p, config) : context.base(context.x)
    },
    norm(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.norm ? hooks.norm(context, p, config) : context.base(context.x)
    },
    residual(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.residual ? hooks.residual(context, p, config) : context.branch
    },
    embedding(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.embedding ? hooks.embedding(context, p, config) : null
    },
    lookUp(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.lookUp ? hooks.lookUp(context, p, config) : null
    },
    head(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.head ? hooks.head(context, p, config) : null
    },
    prompt(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.prompt ? hooks.prompt(context, p, config) : null
    },
    prefix(context) {
      const p = bySite.get(siteKey(context.site))
      return p && hooks.prefix ? hooks.prefix(context, p, config) : null
    },
  }
}

/** Settings checked by a method's schema. */
function parseSettings<S extends v.GenericSchema>(method: string, schema: S, raw: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, raw)
  if (result.success) return result.output
  const lines = result.issues.map((issue) => `${v.getDotPath(issue) ?? "settings"}: ${issueText(issue)}`)
  throw new EspalierError("invalid_request", `Settings of method ${method} are wrong: ${lines.join("; ")}`, {
    param: `method.${v.getDotPath(result.issues[0]) ?? ""}`,
  })
}

/** The method that reads an adapter_config.json. @throws {EspalierError} `unsupported` naming the types that are known. */
export function methodOfPeft(json: Readonly<Record<string, unknown>>, methods: readonly Method[]): Method {
  const type = json["peft_type"]
  const found = methods.find(({ peft }) => peft && peft.type === type && peft.matches(json))
  if (found) return found
  const known = new Set(methods.flatMap(({ peft }) => (peft ? [peft.type] : [])))
  throw new EspalierError(
    "unsupported",
    `adapter_config.json: peft_type ${JSON.stringify(type)} is not a method of this version`,
    {
      param: "peft_type",
      hint: `Known: ${[...known].join(", ")}. In Python, merge_and_unload() makes a base of many others, which --base takes`,
    },
  )
}
