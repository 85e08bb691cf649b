/**
 * @module transformers.js: it answers a batch at a time. Requests that come meanwhile are answered together afterwards, as
 * many as there are clients, if their lengths agree as a batch wants it. It knows no adapters.
 */
import { basename, dirname } from "node:path"
import { EventQueue } from "../../../src/serve/event-queue.ts"
import { versionOf } from "./installed.ts"
import type { OpenPeer, PeerSettings } from "./peer.ts"

/** The parts of transformers.js that are used. */
interface Library {
  readonly env: { allowRemoteModels: boolean; localModelPath: string }
  readonly AutoModelForCausalLM: {
    from_pretrained(name: string, options: object): Promise<{ generate(options: object): Promise<unknown> }>
  }
  readonly Tensor: new (type: string, data: BigInt64Array, shape: readonly number[]) => unknown
}

interface Waiting {
  readonly prompt: readonly number[]
  readonly output: number
  readonly tokens: EventQueue<number>
}

/** Opens it over a folder that `espalier export --to onnx` wrote. */
export async function openTransformersJs({ entry, model: path, threads, clients }: PeerSettings): Promise<OpenPeer> {
  const { env, AutoModelForCausalLM, Tensor } = (await import(entry)) as Library
  env.allowRemoteModels = false
  env.localModelPath = dirname(path)
  const session_options = threads === null ? {} : { intraOpNumThreads: threads }
  const model = await AutoModelForCausalLM.from_pretrained(basename(path), { dtype: "fp32", session_options })
  const waiting: Waiting[] = []
  let busy = false

  const answer = async (batch: readonly Waiting[]): Promise<void> => {
    const [{ prompt, output }] = batch as readonly [Waiting, ...Waiting[]]
    const shape = [batch.length, prompt.length]
    const ids = BigInt64Array.from(batch.flatMap((each) => each.prompt.map(BigInt)))
    let isPrompt = true
    const streamer = {
      put() {
        // The prompt itself comes first.
        if (!isPrompt) for (const { tokens } of batch) tokens.push(1)
        isPrompt = false
      },
      end() {},
    }
    await model.generate({
      input_ids: new Tensor("int64", ids, shape),
      attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
      ...{ max_new_tokens: output, min_new_tokens: output, do_sample: false, eos_token_id: -1, streamer },
    })
  }
  const work = async (): Promise<void> => {
    if (busy) return
    busy = true
    while (waiting.length > 0) {
      const [first] = waiting
      const alike = waiting.filter(
        ({ prompt, output }) => prompt.length === first!.prompt.length && output === first!.output,
      )
      const batch = alike.slice(0, clients)
      for (const each of batch) waiting.splice(waiting.indexOf(each), 1)
      await answer(batch).then(
        () => batch.forEach(({ tokens }) => tokens.end()),
        (error: unknown) => batch.forEach(({ tokens }) => tokens.fail(error)),
      )
      // Who was answered asks again before the next batch is put together.
      await new Promise((resolve) => setTimeout(resolve))
    }
    busy = false
  }
  return {
    detail: `transformers.js ${await versionOf(entry)} on ${threads === null ? "its own number of" : threads} threads`,
    swap: null,
    ask(prompt, _model, output) {
      const tokens = new EventQueue<number>()
      waiting.push({ prompt, output, tokens })
      // Those that ask in the same turn are one batch.
      setTimeout(() => void work())
      return tokens
    },
  }
}
