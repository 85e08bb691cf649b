/**
 * @module Between adapter files and what they mean: a method reads its own settings from a PEFT configuration, checks
 * every tensor against the base, and gives forms; and the other way round.
 */
import { EspalierError } from "./core/errors.ts"
import type { Tensor } from "./core/tensor.ts"
import type { LoadedAdapter } from "./forms/form.ts"
import {
  type Method,
  type MethodEnv,
  methodOfPeft,
  type PreparedMethod,
  type ReadWeight,
  type SiteParameters,
} from "./method.ts"

/** The part of an adapter folder that says what it computes. */
export interface AdapterContent {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>
}

/** An adapter understood: its method with its settings, and its tensors at the base's sites. */
export interface UnderstoodAdapter {
  readonly method: PreparedMethod
  /** What its file holds, by site. */
  readonly stored: readonly SiteParameters[]
  /**
   * Tables of the base that its file brings along, by key, with the checkpoint's name of each: PEFT saves those that have a
   * LoRA. @default none
   */
  readonly tables?: ReadonlyMap<string, string>
}

/**
 * Understands an adapter for a base.
 * @throws {EspalierError} `unsupported` for a method or option this version lacks; `adapter_mismatch` with every tensor
 *   that is missing, misshapen or too many.
 */
export function understandAdapter(
  { config, tensors }: AdapterContent,
  methods: readonly Method[],
  env: MethodEnv,
  baseName: string,
): UnderstoodAdapter {
  const found = methodOfPeft(config, methods)
  const method = found.prepare(found.peft!.read(config))
  const stored = method.stored(env)
  const expected = new Map(stored.flatMap(({ params }) => params.map(({ key, shape }) => [key, shape] as const)))
  const lines: string[] = []
  for (const [key, shape] of expected) {
    const tensor = tensors.get(key)
    if (!tensor) lines.push(`${key}: expected [${shape}] but it is missing`)
    else if (tensor.shape.join() !== shape.join()) lines.push(`${key}: expected [${shape}] but found [${tensor.shape}]`)
  }
  const tables = broughtTables(tensors, expected, env)
  // A tensor without numbers, such as AdaLoRA leaves of a layer without ranks, says nothing.
  for (const [key, { shape }] of tensors)
    if (!expected.has(key) && !tables.has(key) && !shape.includes(0))
      lines.push(`${key}: [${shape}] belongs nowhere in the base`)
  if (lines.length > 0) {
    const shown = lines.slice(0, 12).concat(lines.length > 12 ? [`and ${lines.length - 12} more`] : [])
    throw new EspalierError(
      "adapter_mismatch",
      `The adapter doesn't fit base "${baseName}": ${lines.length} tensors differ\n  ${shown.join("\n  ")}`,
    )
  }
  return { method, stored, tables }
}

/** The base's own tables in an adapter's file, beside an update of each. */
function broughtTables(
  tensors: AdapterContent["tensors"],
  expected: ReadonlyMap<string, readonly number[]>,
  { config, tokenEmbedding }: MethodEnv,
): Map<string, string> {
  const shape = [config.vocabSize, config.hiddenSize].join()
  const names = [tokenEmbedding, "lm_head.weight"]
  const found = names.flatMap((name): [string, string][] => {
    const path = `base_model.model.${name.replace(/\.weight$/, "")}`
    const key = `${path}.base_layer.weight`
    const hasUpdate = [...expected.keys()].some((each) => each.startsWith(`${path}.lora_`))
    if (!hasUpdate || tensors.get(key)?.shape.join() !== shape) return []
    return [[key, config.tiedHead ? tokenEmbedding : name]]
  })
  return new Map(found)
}

/**
 * An adapter ready for serving.
 * @param read frozen weights of the base, for forms that depend on them
 * @throws {EspalierError} `adapter_mismatch` where it brings a table of the base along that is another than the base's
 */
export async function adapterForms(
  content: AdapterContent & { readonly hash: string; readonly sizeBytes: number },
  { method, stored, tables = new Map() }: UnderstoodAdapter,
  read: ReadWeight,
): Promise<LoadedAdapter> {
  for (const [key, name] of tables) {
    const [own, brought] = [await read(name), content.tensors.get(key)!.data]
    if (own.every((x, i) => x === brought[i])) continue
    throw new EspalierError("adapter_mismatch", `${key} of the adapter differs from the base's ${name}`, {
      hint: "Its base was another, or had its vocabulary changed: give that base's folder",
    })
  }
  return {
    hash: content.hash,
    method: method.name,
    forms: await method.finish(stored, content.tensors, read),
    sizeBytes: content.sizeBytes,
  }
}
