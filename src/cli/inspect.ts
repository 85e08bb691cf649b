/**
 * @module `espalier inspect`.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { EspalierError } from "../core/errors.ts"
import { architectureOf } from "../models/mod.ts"
import { heldWeights, quantizations } from "../models/quantization.ts"
import { openAdapterFolder } from "../store/adapter-folder.ts"
import { openCheckpoint } from "../store/checkpoint-reader.ts"
import { fsFolder } from "../store/folder.ts"
import { blobSize, type HeldWeights } from "../store/weights-file.ts"
import { formatBytes } from "../train/progress.ts"
import { defineCommand, exitCodes } from "./command.ts"

/** A tensor for the list. */
interface Row {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
}

export const inspectCommand = defineCommand({
  name: "inspect",
  summary: "Says what an adapter or base folder holds, and checks it.",
  usage: "<folder> [options]",
  options: { tensors: { type: "boolean", description: "list every tensor" } },
  examples: [
    "espalier inspect adapters-out/answer-card-lora",
    "espalier inspect models/sprig --tensors",
    "espalier inspect adapters-out/answer-card-lora --json",
  ],
  async run(given, [path], io) {
    const values = given as { readonly tensors?: boolean; readonly json?: boolean }
    if (path === undefined)
      throw new EspalierError("invalid_request", "There is no folder to inspect", {
        hint: "Such as: espalier inspect models/sprig",
      })
    const { facts, rows } = existsSync(join(path, "adapter_config.json"))
      ? await inspectAdapter(path)
      : await inspectBase(path)
    if (values.json) {
      io.out(`${JSON.stringify({ ...facts, ...(values.tensors && { tensors: rows }) })}\n`)
      return exitCodes.ok
    }
    const width = Math.max(...Object.keys(facts).map((key) => key.length)) + 2
    for (const [key, value] of Object.entries(facts))
      io.out(`${key.padEnd(width)}${typeof value === "object" ? JSON.stringify(value) : value}\n`)
    if (values.tensors) for (const { name, dtype, shape } of rows) io.out(`  ${name}  ${dtype} [${shape.join(", ")}]\n`)
    return exitCodes.ok
  },
})

const countOf = (rows: readonly Row[]): number =>
  rows.reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0)

async function inspectAdapter(path: string) {
  const { config, tensors, facts, hash, sizeBytes, verified } = await openAdapterFolder(path)
  const rows = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }))
  const base = facts?.["base"] as { name?: string; hash?: string; quantization?: string } | undefined
  return {
    rows,
    facts: {
      kind: "adapter",
      type: config["peft_type"] ?? null,
      base: base?.name ?? config["base_model_name_or_path"] ?? null,
      base_hash: base?.hash ?? null,
      ...(base?.quantization !== undefined && { trained_over: base.quantization }),
      parameters: countOf(rows),
      size: formatBytes(sizeBytes),
      tensors: rows.length,
      hash,
      weights_sha256: verified ? "as espalier.json says" : "none in espalier.json",
      ...(facts && { method: facts["method"] }),
      // What it was made of, if others were merged into it; else what it has learned from.
      ...(facts &&
        ("merge" in facts ? { merge: facts["merge"] } : { data: facts["data"], score: facts["score"] ?? null })),
    },
  }
}

async function inspectBase(path: string) {
  const folder = fsFolder(path)
  if (!existsSync(join(path, "config.json"))) {
    throw new EspalierError(
      "not_found",
      `${path} is neither an adapter folder (adapter_config.json) nor a base (config.json)`,
    )
  }
  const json = JSON.parse(new TextDecoder().decode(await folder.read("config.json"))) as unknown
  const architecture = architectureOf(json)
  const config = architecture.parseConfig(json)
  const checkpoint = await openCheckpoint(folder)
  const rows = [...checkpoint.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }))
  const dtypes = [...new Set(rows.map(({ dtype }) => dtype))].join(", ")
  const held = (weights?: HeldWeights) => formatBytes(blobSize(architecture.weights(config), weights))
  return {
    rows,
    facts: {
      kind: "base",
      ...config,
      parameters: countOf(rows),
      tensors: rows.length,
      dtypes,
      // What the weights take in memory: as they are, and by `--quantize`.
      held_as: {
        f32: held(),
        ...Object.fromEntries(quantizations.map((name) => [name, held(heldWeights(architecture, config, name))])),
      },
      hash: await checkpoint.hash(),
    },
  }
}
