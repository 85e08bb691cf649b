/**
 * @module `espalier generate`.
 */
import { EspalierError } from "../core/errors.ts"
import { openEngine } from "../presets/open-engine.ts"
import type { EngineApi, PromptInput } from "../serve/engine-api.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { engineSettings, namedAdapter, oneStreamOptions, samplingOptions } from "./shared-options.ts"
import { type Consulted, consulted, retrievalOptions, showSources, type Told } from "./with-documents.ts"

const options = {
  ...oneStreamOptions,
  adapter: { type: "string", value: "folder", description: "an adapter to answer with" },
  ...samplingOptions,
  system: { type: "string", description: "a system message" },
  ...retrievalOptions,
  raw: { type: "boolean", description: "continue the prompt as plain text, without the chat template" },
} as const
type Values = OptionValues<typeof options>

/** Tokens of an answer at most, where nobody says. */
const DEFAULT_TOKENS = 256

export const generateCommand = defineCommand({
  name: "generate",
  summary: "Answers one prompt, by the base's chat template where it has one.",
  usage: "<prompt> [options]",
  options,
  examples: [
    'espalier generate "What colour is the sky?"',
    'espalier generate "What colour is snow?" --adapter adapters-out/answer-card-lora',
    'espalier generate "Who is the mayor of Tal?" --retrieval auto',
    'espalier generate "Once upon a time" --raw --temperature 0.8 --seed 1',
  ],
  async run(given, positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const prompt = positionals.join(" ")
    if (prompt === "")
      throw new EspalierError("invalid_request", "There is no prompt", {
        hint: 'Such as: espalier generate "What colour is the sky?"',
      })
    const settings = engineSettings(values)
    const engine = await openEngine({ ...settings, oneStream: true, force: true })
    const adapter = await loadNamed(engine, values.adapter)
    const isRaw = values.raw === true || !engine.info.hasChatTemplate
    if (isRaw && (values.retrieval ?? "off") !== "off")
      throw new EspalierError("invalid_request", "Documents go into a conversation, and this is plain text", {
        hint: "Leave out --raw, or --retrieval",
        param: "retrieval",
      })
    const documents = isRaw ? null : await consulted(values, engine, settings.base)
    const messages = [
      ...(values.system ? [{ role: "system", content: values.system }] : []),
      { role: "user", content: prompt },
    ]
    const show = (delta: string) => (values.json ? undefined : io.out(printable(delta)))
    const { text, finish, ...rest }: Answer & Partial<Told> = isRaw
      ? await answer(engine, adapter, { text: prompt }, values, show)
      : await converse(engine, adapter, messages, { values, documents, show })
    io.out(values.json ? `${JSON.stringify({ text, finish_reason: finish, ...rest })}\n` : "\n")
    if (!values.json) showSources(rest, io)
    documents?.close()
    await engine.close()
    return exitCodes.ok
  },
})

/** Loads an adapter given as a folder or `name=folder`. @returns its name, or null */
export async function loadNamed(engine: EngineApi, given: string | undefined): Promise<string | null> {
  if (given === undefined) return null
  const { name, path } = namedAdapter(given)
  await engine.load(name, { path })
  return name
}

/** One answer of a conversation, from documents where there are any to look at, shown as it comes. */
export async function converse(
  engine: EngineApi,
  adapter: string | null,
  messages: readonly ChatMessage[],
  how: { readonly values: Values; readonly documents: Consulted | null; readonly show: (delta: string) => void },
): Promise<Answer & Partial<Told>> {
  const { documents, show } = how
  // Of a short context passages need the larger part, where nobody says how long the answer may be.
  const room = documents ? Math.floor(engine.info.contextLength / 4) : DEFAULT_TOKENS
  const tokens = how.values["max-tokens"] ?? Math.min(DEFAULT_TOKENS, room)
  const values = { ...how.values, "max-tokens": tokens }
  const retrieved = await documents?.ask(messages, adapter, tokens)
  if (!retrieved) return answer(engine, adapter, { messages }, values, show)
  const { abstention: text } = retrieved
  if (text !== null) show(text)
  const given =
    text === null
      ? await answer(engine, adapter, { messages: retrieved.messages }, values, show)
      : { text, finish: "stop", usage: { prompt_tokens: 0, completion_tokens: 0 } }
  return { ...given, ...retrieved.told(given.text) }
}

/** An answer, and what it took. */
interface Answer {
  readonly text: string
  readonly finish: string
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
}

/** One answer, shown as it comes. */
export async function answer(
  engine: EngineApi,
  adapter: string | null,
  prompt: PromptInput,
  values: Values,
  show: (delta: string) => void,
): Promise<Answer> {
  const generation = await engine.generate({
    prompts: [prompt],
    adapter,
    maxTokens: values["max-tokens"] ?? DEFAULT_TOKENS,
    sampling: {
      temperature: values.temperature ?? 0,
      topP: values["top-p"] ?? 1,
      topK: values["top-k"] ?? 0,
      minP: values["min-p"] ?? 0,
      repetitionPenalty: values["repetition-penalty"] ?? 1,
      ...(values.seed !== undefined && { seed: values.seed }),
    },
  })
  let text = ""
  let finish = "stop"
  let completionTokens = 0
  for await (const event of generation.events) {
    if (event.type === "text-delta") {
      text += event.text
      show(event.text)
    } else if (event.type === "finish") {
      finish = event.reason
      completionTokens = event.usage.completionTokens
    }
  }
  return { text, finish, usage: { prompt_tokens: generation.promptTokens, completion_tokens: completionTokens } }
}
