/**
 * @module Which nodes of the toolkit's graphs WebGPU's engine computes on the GPU, and which fall back to the processor.
 */
import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import process from "node:process"
import { fileURLToPath } from "node:url"

/** Counts of a session's nodes by operator. */
export interface Placement {
  readonly gpu: Readonly<Record<string, number>>
  readonly cpu: Readonly<Record<string, number>>
}

/**
 * Every method on one architecture, every architecture with one method, decoding with and without adapters, and both over
 * weights of f16.
 */
export const placedGraphs = (methods: readonly string[], fixtures: readonly string[]): string[] => [
  ...methods.map((method) => `training:llama:${method}`),
  ...fixtures.map((fixture) => `training:${fixture}:lora`),
  ...fixtures.map((fixture) => `decoding:${fixture}:`),
  "decoding:llama:lowrank-q+k+v,lowrank-down",
  "decoding:llama:scale,bias,norm,bottleneck-relu",
  "decoding:gemma2:lowrank-q+k+v,lowrank-o,lowrank-gate+up",
  "training:llama:lora:f16",
  "decoding:llama:lowrank-q+k+v,lowrank-down:f16",
]

/**
 * Where the engine of a route puts each node of these graphs (named as `print-placement.ts` takes them), in a process of the
 * runtime that this one is.
 * @param runtime arguments that the runtime wants before the script
 */
export async function placements(
  route: "node" | "web",
  graphs: readonly string[],
  runtime: readonly string[] = [],
): Promise<Map<string, Placement>> {
  const script = fileURLToPath(new URL("./print-placement.ts", import.meta.url))
  const log = await new Promise<string>((resolve, reject) => {
    const options = { maxBuffer: 1 << 28 }
    execFile(process.execPath, [...runtime, script, route, ...graphs], options, (error, _out, err) =>
      error ? reject(new Error(`${error.message.slice(0, 500)}\n${err.slice(-2000)}`)) : resolve(err),
    )
  })
  return readPlacements(log)
}

/** What a log says: the engine lists the nodes of each provider after a line with its name. */
export function readPlacements(log: string): Map<string, Placement> {
  const found = new Map<string, { gpu: Record<string, number>; cpu: Record<string, number> }>()
  let graph: { gpu: Record<string, number>; cpu: Record<string, number> } | undefined
  let side: Record<string, number> | undefined
  for (const line of log.split("\n")) {
    const name = /^graph (\S+)$/.exec(line)?.[1]
    if (name !== undefined) {
      graph = { gpu: {}, cpu: {} }
      found.set(name, graph)
    }
    const provider = /[Nn]ode\(?s?\)? placed on \[(\w+)\]/.exec(line)?.[1]
    if (provider !== undefined) side = provider === "CPUExecutionProvider" ? graph?.cpu : graph?.gpu
    const op = /VerifyEachNodeIsAssignedToAnEp\]\s+(\w+) \(/.exec(line)?.[1]
    if (op !== undefined && side) side[op] = (side[op] ?? 0) + 1
  }
  return found
}

/** What may be computed on the processor: sizes, from the shapes of what is fed, and zeros of a size. */
const ofSizes = new Set(["Shape", "Concat", "Mul", "Unsqueeze", "Reshape", "Cast", "ConstantOfShape"])

/** Nodes that fall back in one graph at most; all of them sizes. With weights of f16 each product waits for one. */
const mostFallenBack = (graph: string): number => (graph.endsWith(":f16") ? 100 : 40)

/**
 * @throws {AssertionError} naming the graph, unless everything heavy is on the GPU: only sizes are computed outside it, and
 * nothing that the GPU computed is fetched for that in the midst of a run.
 */
export function expectOnGpu(graphs: readonly string[], found: ReadonlyMap<string, Placement>): void {
  for (const name of graphs) {
    const placement = found.get(name)
    assert.ok(placement, `The engine said nothing of ${name}`)
    const { gpu, cpu } = placement
    const count = (ops: Readonly<Record<string, number>>): number => Object.values(ops).reduce((sum, n) => sum + n, 0)
    assert.ok((gpu["Gemm"] ?? 0) > 0, `No product of ${name} is on the GPU: ${JSON.stringify(placement)}`)
    const heavy = Object.keys(cpu).filter((op) => !ofSizes.has(op))
    assert.deepEqual(heavy, [], `${name}: computed on the processor`)
    assert.equal(gpu["MemcpyToHost"], undefined, `${name} fetches from the GPU what it goes on computing with`)
    assert.ok(
      count(cpu) <= mostFallenBack(name),
      `${name}: ${count(cpu)} nodes on the processor, ${JSON.stringify(cpu)}`,
    )
  }
}
