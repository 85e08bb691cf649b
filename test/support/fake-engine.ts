/**
 * @module An engine over the fake decoder, and the helpers that read its generations.
 */
import { EspalierError } from "../../src/core/errors.ts"
import type { LoadedAdapter } from "../../src/forms/form.ts"
import { createEngine } from "../../src/serve/engine.ts"
import type { ChoiceEvent, EngineApi } from "../../src/serve/engine-api.ts"
import type { SchedulerOptions } from "../../src/serve/scheduler.ts"
import { createFakeDecoder, type FakeDecoder, type FakeDecoderOptions, fakeAdapter } from "./fake-decoder.ts"
import { createFakeTokenizer } from "./fake-tokenizer.ts"

/** The folder that the fake engine's adapters lie in. */
export const fakeRoot = "/srv/adapters"

/** What to make it of. */
export interface FakeEngineOptions extends FakeDecoderOptions {
  readonly scheduler?: SchedulerOptions
  readonly maxAdapters?: number
  /** @default {readFakeAdapter} */
  readonly readAdapter?: (path: string) => Promise<LoadedAdapter>
  /** Throws if what computes is gone. */
  readonly check?: () => void
  /** What the chat template writes before an answer. */
  readonly lead?: string
  /** Whether the chat template knows tools. */
  readonly tools?: boolean
}

/** An engine with base `base`, and its decoder to look at. */
export function createFakeEngine(options: FakeEngineOptions = {}): { engine: EngineApi; decoder: FakeDecoder } {
  const decoder = createFakeDecoder(options)
  const engine = createEngine({
    base: "base",
    baseHash: "b".repeat(64),
    backend: "fake",
    decoder,
    tokenizer: createFakeTokenizer(options.lead ?? "", options.tools),
    readAdapter: options.readAdapter ?? readFakeAdapter,
    now: () => 1_700_000_000_000,
    ...(options.scheduler === undefined ? {} : { scheduler: options.scheduler }),
    ...(options.check === undefined ? {} : { check: options.check }),
    ...(options.maxAdapters === undefined ? {} : { maxAdapters: options.maxAdapters }),
  })
  return { engine, decoder }
}

/** An adapter of the folder's name; `broken` and `missing` are what they say. */
export async function readFakeAdapter(path: string): Promise<LoadedAdapter> {
  if (path.endsWith("missing")) {
    throw new EspalierError("not_found", `There is no folder ${path}`, { param: "path" })
  }
  if (path.endsWith("broken")) {
    throw new EspalierError("invalid_file", `${path}/adapter_model.safetensors ends after 17 of 4096 bytes`)
  }
  if (path.endsWith("misfit")) {
    throw new EspalierError("adapter_mismatch", "The adapter is for another base: 2 tensors differ")
  }
  return fakeAdapter(path)
}

/** A generation's text and end, by choice. */
export async function collect(events: AsyncIterable<ChoiceEvent>): Promise<{ text: string; reason: string }[]> {
  const choices: { text: string; reason: string }[] = []
  for await (const event of events) {
    choices[event.choice] ??= { text: "", reason: "" }
    const choice = choices[event.choice]!
    if (event.type === "finish") choice.reason = event.reason
    else choice.text += event.text
  }
  return choices
}

/** Greedy text of one prompt. */
export async function greedyText(
  engine: EngineApi,
  text: string,
  adapter: string | null,
  maxTokens = 24,
): Promise<string> {
  const { events } = await engine.generate({ prompts: [{ text }], adapter, maxTokens, sampling: { temperature: 0 } })
  return (await collect(events))[0]!.text
}
