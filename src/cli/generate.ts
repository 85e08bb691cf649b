/**
 * @module `espalier generate`.
 */
import { EspalierError } from "../core/errors.ts"
import { openEngine } from "../presets/open-engine.ts"
import type { EngineApi, PromptInput } from "../serve/engine-api.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { printable } from "./io.ts"
import { engineOptions, engineSettings, namedAdapter, samplingOptions } from "./shared-options.ts"

const options = {
  ...engineOptions,
  adapter: { type: "string", value: "folder", description: "an adapter to answer with" },
  ...samplingOptions,
  system: { type: "string", description: "a system message" },
  raw: { type: "boolean", description: "continue the prompt as plain text, without the chat template" },
} as const
type Values = OptionValues<typeof options>

export const generateCommand = defineCommand({
  name: "generate",
  summary: "Answers one prompt, by the base's chat template where it has one.",
  usage: "<prompt> [options]",
  options,
  examples: [
    'espalier generate "What colour is the sky?"',
    'espalier generate "What colour is snow?" --adapter adapters-out/answer-card-lora',
    'espalier generate "Once upon a time" --raw --temperature 0.8 --seed 1',
  ],
  async run(given, positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const prompt = positionals.join(" ")
    if (prompt === "")
      throw new EspalierError("invalid_request", "There is no prompt", {
        hint: 'Such as: espalier generate "What colour is the sky?"',
      })
    const engine = await openEngine({ ...engineSettings(values), force: true })
    const adapter = await loadNamed(engine, values.adapter)
    const input: PromptInput =
      values.raw || !engine.info.hasChatTemplate
        ? { text: prompt }
        : {
            messages: [
              ...(values.system ? [{ role: "system", content: values.system }] : []),
              { role: "user", content: prompt },
            ],
          }
    const { text, finish, usage } = await answer(engine, adapter, input, values, (delta) =>
      values.json ? undefined : io.out(printable(delta)),
    )
    io.out(values.json ? `${JSON.stringify({ text, finish_reason: finish, usage })}\n` : "\n")
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

/** One answer, shown as it comes. */
export async function answer(
  engine: EngineApi,
  adapter: string | null,
  prompt: PromptInput,
  values: Values,
  show: (delta: string) => void,
) {
  const generation = await engine.generate({
    prompts: [prompt],
    adapter,
    maxTokens: values["max-tokens"] ?? 256,
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
