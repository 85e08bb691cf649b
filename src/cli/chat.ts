/**
 * @module `espalier chat`.
 */
import { createInterface } from "node:readline"
import { openEngine } from "../presets/open-engine.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import { defineCommand, exitCodes, type OptionValues } from "./command.ts"
import { converse, loadNamed } from "./generate.ts"
import { describeError, printable } from "./io.ts"
import { engineSettings, oneStreamOptions, samplingOptions } from "./shared-options.ts"
import { consulted, retrievalOptions, showSources } from "./with-documents.ts"

const options = {
  ...oneStreamOptions,
  adapter: { type: "string", value: "folder", description: "an adapter to answer with" },
  ...samplingOptions,
  ...retrievalOptions,
  system: { type: "string", description: "a system message" },
} as const
type Values = OptionValues<typeof options>

export const chatCommand = defineCommand({
  name: "chat",
  summary: "Talks to a base or an adapter, line by line. /new starts over, /bye ends.",
  usage: "[options]",
  options,
  examples: [
    "espalier chat",
    "espalier chat --adapter adapters-out/answer-card-lora",
    'echo "What colour is snow?" | espalier chat',
  ],
  async run(given, _positionals, io) {
    const values = given as Values & { readonly json?: boolean }
    const settings = engineSettings(values)
    const engine = await openEngine({ ...settings, oneStream: true, force: true })
    const adapter = await loadNamed(engine, values.adapter)
    const documents = await consulted(values, engine, settings.base)
    const show = (delta: string) => (values.json ? undefined : io.out(printable(delta)))
    const opening: ChatMessage[] = values.system ? [{ role: "system", content: values.system }] : []
    let messages = [...opening]
    if (io.isTerminal && !values.json)
      io.out(
        `${engine.info.base}${adapter ? ` with ${adapter}` : ""}, ${engine.info.backend}. /new starts over, /bye ends\n> `,
      )
    for await (const line of createInterface({ input: process.stdin })) {
      const text = line.trim()
      if (text === "/bye") break
      if (text === "/new") messages = [...opening]
      else if (text !== "") {
        messages.push({ role: "user", content: text })
        try {
          const reply = await converse(engine, adapter, messages, { values, documents, show })
          messages.push({ role: "assistant", content: reply.text.trim() })
          io.out(values.json ? `${JSON.stringify(reply)}\n` : "\n")
          if (!values.json) showSources(reply, io)
        } catch (error) {
          messages.pop()
          io.err(describeError(error))
        }
      }
      if (io.isTerminal && !values.json) io.out("> ")
    }
    documents?.close()
    await engine.close()
    return exitCodes.ok
  },
})
