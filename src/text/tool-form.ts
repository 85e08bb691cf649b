/**
 * @module How a base's chat template writes a call of a tool, found by having it write one: Qwen's and Hermes'
 * `<tool_call>` around an object, a list of objects, or Llama's bare object.
 */
import { controlPattern } from "./chat-guard.ts"
import type { ChatMessage, Tokenizer } from "./tokenizer-contract.ts"

/** What stands around a call, which is an object of JSON with a name and arguments. Plain data. */
export interface ToolForm {
  /** What the template writes before a call, from the generation prompt on. */
  readonly begin: string
  /** As much of it as can be read in an answer, whose control tokens are not shown. */
  readonly open: string
  /** What can be read after a call. */
  readonly close: string
  readonly argumentsKey: "arguments" | "parameters"
}

const NAME = "espalier_probe"
const probe = {
  type: "function",
  function: { name: NAME, description: "", parameters: { type: "object", properties: {} } },
}
const call = { id: "callprobe", type: "function", function: { name: NAME, arguments: { probe: "value" } } }
const question: ChatMessage = { role: "user", content: "Hi" }
const written = new RegExp(
  `^([\\s\\S]*?)\\{\\s*"name":\\s*"${NAME}",\\s*"(arguments|parameters)":\\s*\\{\\s*"probe":\\s*"value"\\s*\\}\\s*\\}([\\s\\S]*)$`,
)

/** The form of the base's calls; null where its template knows no tools, or writes calls otherwise. */
export function toolForm(tokenizer: Tokenizer): ToolForm | null {
  if (!tokenizer.hasChatTemplate) return null
  try {
    const prompt = tokenizer.renderChat([question], { addGenerationPrompt: true, tools: [probe] })
    const answer: ChatMessage = { role: "assistant", content: "", tool_calls: [call] }
    const whole = tokenizer.renderChat([question, answer], { tools: [probe] })
    if (!prompt.includes(NAME) || !whole.startsWith(prompt)) return null
    const [, begin, argumentsKey, rest] = written.exec(whole.slice(prompt.length)) ?? []
    if (begin === undefined || argumentsKey === undefined || rest === undefined) return null
    const end = tokenizer.eosId === null ? -1 : rest.indexOf(tokenizer.tokenText(tokenizer.eosId))
    return {
      begin,
      open: shown(tokenizer, begin).trim(),
      close: shown(tokenizer, end === -1 ? rest : rest.slice(0, end)).trim(),
      argumentsKey: argumentsKey as ToolForm["argumentsKey"],
    }
  } catch {
    return null // it refuses such messages
  }
}

/** A text without control tokens. */
function shown(tokenizer: Tokenizer, text: string): string {
  const control = controlPattern(tokenizer)
  return control === null ? text : text.replace(new RegExp(control.source, "gu"), "")
}
