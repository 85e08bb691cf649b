/**
 * @module Options that several commands share.
 */
import { existsSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { EspalierError } from "../core/errors.ts"
import { type Quantization, quantizations } from "../models/quantization.ts"
import type { OptionTable } from "./command.ts"
import { count, from, seeds, whole } from "./number-range.ts"

/** Tokens of an answer at most, as over HTTP. */
const MOST_TOKENS = 1_000_000

/** Which base, on what. */
export const engineOptions = {
  base: {
    type: "string",
    value: "folder",
    description: "a Hugging Face model folder, or owner/name of one on the hub",
    default: "the embedded base, sprig",
  },
  backend: {
    type: "string",
    description: "what computes",
    choices: ["auto", "native", "wasm", "webgpu"],
    default: "auto",
  },
  quantize: {
    type: "string",
    description:
      "hold the base's weights in fewer bits: f16 takes half the memory at next to no loss, int8 a third and answers nearly the same, int4 a sixth, int4-pure less still",
    choices: ["none", ...quantizations],
    default: "none",
  },
  threads: {
    type: "number",
    range: count(1024),
    description: "threads of the backend",
    default: "the machine's cores, at most 8",
  },
  context: {
    type: "number",
    range: count(),
    value: "tokens",
    description: "positions for prompt and answer together",
    default: "the base's, at most 8192",
  },
} as const satisfies OptionTable

/** How documents are searched beside their words. */
export const embedderOption = {
  type: "string",
  value: "base|model",
  description: "search by meaning too: by the base's own states, or by a model for transformers.js",
  default: "none",
} as const

/** How answers are drawn. */
export const samplingOptions = {
  "max-tokens": {
    type: "number",
    range: count(MOST_TOKENS),
    description: "tokens of an answer at most",
    default: "256",
  },
  temperature: { type: "number", range: from(0, 2), description: "0 always takes the most likely token", default: "0" },
  "top-p": {
    type: "number",
    range: from(0, 1),
    description: "draw from the most likely tokens that make up this probability",
    default: "1",
  },
  "top-k": {
    type: "number",
    range: whole(-1, MOST_TOKENS),
    description: "draw from this many of the most likely tokens; 0 from all",
    default: "0",
  },
  "min-p": {
    type: "number",
    range: from(0, 1),
    description: "draw from tokens of at least this part of the best one's probability",
    default: "0",
  },
  "repetition-penalty": {
    type: "number",
    range: from(0.01, 10),
    description: "above 1 makes repeating less likely",
    default: "1",
  },
  seed: { type: "number", range: seeds, description: "draws are the same for the same seed", default: "random" },
} as const satisfies OptionTable

/** The repository's folder (or the package's). */
export const packageFolder = (): string => dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The base's folder: what was given, or the embedded one. @throws {EspalierError} `not_found` */
export function baseFolder(given: string | undefined): string {
  if (given !== undefined && given !== "sprig") return given
  if (given === "sprig" && existsSync("sprig")) return "sprig"
  const embedded = join(packageFolder(), "models", "sprig")
  if (!existsSync(embedded))
    throw new EspalierError("not_found", "The embedded base is missing: there is no models/sprig", {
      hint: "Give a base with --base",
    })
  return embedded
}

/** `--quantize` as the library takes it. */
export const quantizeSetting = (given: string | undefined): { readonly quantize?: Quantization } =>
  given === undefined || given === "none" ? {} : { quantize: given as Quantization }

/** Options of an engine that gives one answer at a time: see `EngineSettings.oneStream`. */
export const oneStreamOptions = {
  ...engineOptions,
  threads: { ...engineOptions.threads, default: "the machine's cores, at most 8; for a small base on wasm 1" },
} as const

/** Settings of an engine from options. */
export function engineSettings(values: {
  readonly base?: string
  readonly backend?: string
  readonly quantize?: string
  readonly threads?: number
  readonly context?: number
}) {
  return {
    base: baseFolder(values.base),
    backend: (values.backend ?? "auto") as "auto" | "native" | "wasm" | "webgpu",
    ...(values.threads !== undefined && { threads: values.threads }),
    ...(values.context !== undefined && { contextLength: values.context }),
    ...quantizeSetting(values.quantize),
  }
}

/** `name=folder`, or a folder whose own name is the adapter's. */
export function namedAdapter(text: string): { name: string; path: string } {
  const at = text.indexOf("=")
  if (at > 0) return { name: text.slice(0, at), path: text.slice(at + 1) }
  const name = text
    .replace(/[\\/]+$/, "")
    .split(/[\\/]/)
    .at(-1)!
  return { name, path: text }
}

/**
 * An adapter that was given as `name=folder`, as a folder, or by the name of one that was trained here.
 * @param trained the folder that trained adapters lie in
 */
export function trainedAdapter(text: string, trained = "adapters-out"): { name: string; path: string } {
  const { name, path } = namedAdapter(text)
  const isName = basename(path) === path && !existsSync(path)
  return { name, path: isName && existsSync(join(trained, path)) ? join(trained, path) : path }
}
