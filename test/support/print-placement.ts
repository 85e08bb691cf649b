/**
 * @module Has the WebGPU engine of this process make sessions of graphs, so that it says on standard error which node it
 * computes where. A program of its own, as the engine writes past whatever a test could catch. See `placement.ts`.
 *
 * Usage: bun test/support/print-placement.ts node|web training:<parity case>:<method> decoding:<parity case>:[feature,feature]
 * each with :f16 behind it where weights are to be held so
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import { methods } from "../../adapters/mod.ts"
import type { GraphModel } from "../../src/graph/ir.ts"
import { lower } from "../../src/graph/lower/lower.ts"
import { weightsAsInputs } from "../../src/graph/onnx/weights-as-inputs.ts"
import { encodeModel } from "../../src/graph/onnx/write.ts"
import type { Base } from "../../src/models/base.ts"
import type { Quantization } from "../../src/models/quantization.ts"
import { methodEnv } from "../../src/presets/method-env.ts"
import { openBase } from "../../src/presets/open-base.ts"
import { onnxruntimeNode } from "../../src/runtime/onnxruntime-node.ts"
import { decodeGraph } from "../../src/serve/decode-graph.ts"
import type { DecodeFeature } from "../../src/serve/decode-hooks.ts"
import { trainGraph } from "../../src/train/train-graph.ts"

/** Longest row of training, in tokens, and most positions of decoding. */
const [LENGTH, CONTEXT] = [16, 64]

function training(base: Base, name: string): GraphModel {
  const found = methods.find((method) => method.name === name)
  if (!found) throw new RangeError(`There is no method ${name}`)
  const method = found.prepare({})
  const sites = method.parameters(methodEnv(base, null, 1))
  return trainGraph({ base, method, sites, maxLength: LENGTH, chunks: 1, withGradients: true }).graph
}

function decoding(base: Base, names: string): GraphModel {
  const features = new Set(names.split(",").filter(Boolean) as DecodeFeature[])
  return decodeGraph(base, { embeds: false, caches: true, features }, CONTEXT)
}

const [route, ...graphs] = process.argv.slice(2)
const ort = route === "web" ? await import("onnxruntime-web/webgpu") : await onnxruntimeNode()
ort.env.logLevel = "verbose"
if (route === "web") ort.env.wasm.numThreads = 1
for (const name of graphs) {
  const [kind, fixture, detail, quantize] = name.split(":") as [string, string, string, Quantization?]
  const folder = fileURLToPath(new URL(`../fixtures/parity/${fixture}/base`, import.meta.url))
  const { base } = await openBase(folder, { cacheFolder: null, ...(quantize && { quantize }) })
  const graph = kind === "training" ? training(base, detail) : decoding(base, detail)
  console.error(`graph ${name}`)
  const { model } = weightsAsInputs(lower(graph, "standard"))
  const session = await ort.InferenceSession.create(encodeModel(model), {
    executionProviders: ["webgpu"],
    logSeverityLevel: 0,
  })
  await session.release()
}
process.exit(0)
