/**
 * @module llama.cpp by node-llama-cpp: one context for the base and one for each adapter, as a LoRA belongs to a context
 * there; requests to one context share its batches.
 */
import { versionOf } from "./installed.ts"
import type { OpenPeer, PeerSettings } from "./peer.ts"

/** The parts of node-llama-cpp that are used. */
interface Library {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{ createContext(options: object): Promise<Context> }>
  }>
  readonly LlamaLogLevel: { readonly error: unknown }
}
interface Context {
  getSequence(): Sequence
  dispose(): Promise<void>
}
interface Sequence {
  evaluate(tokens: readonly number[], options: object): AsyncIterable<number>
  clearHistory(): Promise<void>
}

/** A context's sequences: who finds none waits for one. */
class Sequences {
  readonly context: Context
  readonly #free: Sequence[]
  readonly #waiting: ((sequence: Sequence) => void)[] = []

  constructor(context: Context, count: number) {
    this.context = context
    this.#free = Array.from({ length: count }, () => context.getSequence())
  }

  async take(): Promise<Sequence> {
    const sequence = this.#free.pop() ?? (await new Promise<Sequence>((resolve) => this.#waiting.push(resolve)))
    await sequence.clearHistory()
    return sequence
  }

  giveBack(sequence: Sequence): void {
    const next = this.#waiting.shift()
    if (next) next(sequence)
    else this.#free.push(sequence)
  }
}

/** Opens it over a GGUF file. */
export async function openLlamaCpp(settings: PeerSettings): Promise<OpenPeer> {
  const { entry, model: modelPath, adapters, threads, clients, context: contextSize } = settings
  const { getLlama, LlamaLogLevel } = (await import(entry)) as Library
  const own = threads === null ? {} : { maxThreads: threads }
  // "never": what was not installed is neither fetched nor built.
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, ...own })
  const model = await llama.loadModel({ modelPath })
  const contextOf = async (adapter: string | null): Promise<Sequences> => {
    const context = await model.createContext({
      contextSize,
      sequences: clients,
      ...(threads !== null && { threads }),
      ...(adapter !== null && { lora: { adapters: [{ filePath: adapter, scale: 1 }] } }),
    })
    return new Sequences(context, clients)
  }
  const contexts = new Map<string | null, Sequences>([[null, await contextOf(null)]])
  for (const [name, path] of adapters) contexts.set(name, await contextOf(path))
  return {
    detail: `node-llama-cpp ${await versionOf(entry)} on ${threads === null ? "its own number of" : threads} threads`,
    async *ask(prompt, name, output) {
      const sequences = contexts.get(name)!
      const sequence = await sequences.take()
      try {
        let count = 0
        // An end that the model writes is a token like any other here.
        for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
          yield 1
          if (++count === output) return
        }
      } finally {
        sequences.giveBack(sequence)
      }
    },
    swap:
      adapters.length === 0
        ? null
        : async () => {
            const [name, path] = adapters[0]!
            await contexts.get(name)!.context.dispose()
            contexts.set(name, await contextOf(path))
          },
  }
}
