/**
 * @module What a format of adapters is: a way from an adapter to files, and back to PEFT's layout.
 */
import { EspalierError } from "../core/errors.ts"
import type { Tensor } from "../core/tensor.ts"
import type { Form, LowrankForm } from "../forms/form.ts"
import type { PeftBase, PeftFiles } from "../merge/peft-parts.ts"
import type { LinearSite } from "../models/site.ts"

/** An adapter to be written. */
export interface ExportAdapter {
  readonly name: string
  /** The method that made it, for messages. */
  readonly method: string
  readonly forms: readonly Form[]
  /** adapter_config.json of its PEFT folder. */
  readonly config: Readonly<Record<string, unknown>>
  /** The folder's tensors, by key. */
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>
}

/** What of the base decides how an adapter is written. */
export interface ExportBase extends PeftBase {
  readonly name: string
}

/** Files of a folder, by name; a format that is a single file has one. */
export type ExportFiles = ReadonlyMap<string, Uint8Array>

/** A format of adapters. */
export interface AdapterFormat {
  /** As `--to` and `--from` name it. */
  readonly name: string
  /** Whether it is one file rather than a folder. */
  readonly single: boolean
  /** Files that are read, where it is a folder. */
  readonly files: readonly string[]
  /** @throws {EspalierError} `unsupported` naming the method and why the format can't hold it. */
  write(adapter: ExportAdapter, base: ExportBase): ExportFiles
  /** @throws {EspalierError} `invalid_file`, `unsupported`, or `adapter_mismatch` naming what fits no site of the base. */
  read(files: ExportFiles, base: ExportBase): PeftFiles
}

/** The key that a single file has among {@link ExportFiles}. */
export const SINGLE = "adapter"

const kinds: Readonly<Record<Exclude<Form["form"], "lowrank">, string>> = {
  scale: "multiplies layers' inputs or outputs by vectors",
  bias: "adds biases",
  prompt: "puts virtual tokens before the text",
  prefix: "puts keys and values before the text",
  bottleneck: "has networks between the layers",
  weights: "replaces whole weights",
  table: "has a token embedding or an output layer of its own",
}

const fusible: ReadonlySet<Form["form"]> = new Set(["scale", "bias", "weights", "table"])

/** The adapter's low-rank updates, where it has nothing else. @throws {EspalierError} `unsupported` saying what it has */
export function lowrankOnly({ name, method, forms }: ExportAdapter, format: string): LowrankForm[] {
  const other = forms.find(({ form }) => form !== "lowrank")
  if (!other) return forms as LowrankForm[]
  const kind = other.form as keyof typeof kinds
  throw new EspalierError(
    "unsupported",
    `Format ${format} holds low-rank updates only, but adapter "${name}" (${method}) ${kinds[kind]}`,
    {
      hint: fusible.has(kind)
        ? "--to merged adds it to the base's weights, exactly"
        : "--to peft keeps it as it is; no weight of the base can take it up",
      param: "to",
    },
  )
}

/** Linear sites by a name that a format gives them. */
export function linearSites(
  { sites }: ExportBase,
  nameOf: (site: LinearSite) => string | null,
): Map<string, LinearSite> {
  return new Map(
    sites.flatMap((site): [string, LinearSite][] => {
      const name = site.kind === "linear" ? nameOf(site) : null
      return name === null ? [] : [[name, site as LinearSite]]
    }),
  )
}

/** Factors that must fit a site. @throws {EspalierError} `adapter_mismatch` */
export function checkFactors({ path, inFeatures, outFeatures }: LinearSite, form: LowrankForm): LowrankForm {
  const { a, b } = form
  const rank = a.shape[0]
  if (a.shape.join() === [rank, inFeatures].join() && b.shape.join() === [outFeatures, rank].join()) return form
  throw new EspalierError(
    "adapter_mismatch",
    `${path}: expected factors [r, ${inFeatures}] and [${outFeatures}, r] but found [${a.shape}] and [${b.shape}]`,
  )
}

/** Halves of pairs that have no other half, and names that are none of the base's. */
export function mismatch(base: ExportBase, names: readonly string[]): EspalierError {
  const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "")
  return new EspalierError("adapter_mismatch", `Tensors that belong nowhere in base "${base.name}": ${shown}`, {
    hint: "Give the base that the adapter was trained on with --base",
  })
}
