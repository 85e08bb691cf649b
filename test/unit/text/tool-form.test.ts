/**
 * @module How templates write calls of tools, found by having them write one.
 */
import { expect, test } from "bun:test"
import { compileChatTemplate } from "../../../src/text/chat-template.ts"
import type { Tokenizer } from "../../../src/text/tokenizer-contract.ts"
import { toolForm } from "../../../src/text/tool-form.ts"
import { createFakeTokenizer, fakeTokenizer } from "../../support/fake-tokenizer.ts"

/** The fake tokenizer with a template of its own; `<m>` and `</s>` are its control tokens. */
function withTemplate(source: string): Tokenizer {
  const template = compileChatTemplate(source)
  return {
    ...fakeTokenizer,
    renderChat: (messages, { addGenerationPrompt = false, tools } = {}) =>
      template({ messages, tools: tools ?? null, add_generation_prompt: addGenerationPrompt }),
  }
}

const body = (call: string): string => `{%- if tools %}<m>system
{{ tools | tojson }}</s>
{% endif %}{%- for message in messages %}<m>{{ message.role }}
{% if message.tool_calls %}${call}{% else %}{{ message.content }}{% endif %}</s>
{% endfor %}{% if add_generation_prompt %}<m>assistant
{% endif %}`

test("Qwen's and Hermes' tags", () => {
  const form = { begin: "\n<tool_call>\n", open: "<tool_call>", close: "</tool_call>", argumentsKey: "arguments" }
  expect(toolForm(createFakeTokenizer("", true))).toEqual(form as never)
})

test("Llama's bare object, and a list of calls behind a control token", () => {
  const llama = body(
    '{{ \'{"name": "\' + message.tool_calls[0].function.name + \'", "parameters": \' }}{{ message.tool_calls[0].function.arguments | tojson }}{{ "}" }}',
  )
  expect(toolForm(withTemplate(llama))).toEqual({ begin: "", open: "", close: "", argumentsKey: "parameters" })
  const list = body(
    '<m>[{% for c in message.tool_calls %}{{ \'{"name": "\' + c.function.name + \'", "arguments": \' }}{{ c.function.arguments | tojson }}{{ "}" }}{% endfor %}]',
  )
  expect(toolForm(withTemplate(list))).toEqual({ begin: "<m>[", open: "[", close: "]", argumentsKey: "arguments" })
})

test("none where the template knows no tools, writes none, or refuses", () => {
  expect(toolForm(fakeTokenizer)).toBeNull()
  expect(toolForm(withTemplate(body("{{ message.content }}")))).toBeNull()
  expect(toolForm(withTemplate("{{ raise_exception('no') }}"))).toBeNull()
  expect(toolForm({ ...fakeTokenizer, hasChatTemplate: false })).toBeNull()
})
