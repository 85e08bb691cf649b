/**
 * @module Tool calls in training rows, under a template written as Qwen2.5's is.
 */
import { describe, expect, test } from "bun:test"
import { findSpans, type Render } from "../../../src/text/chat-spans.ts"
import { compileChatTemplate } from "../../../src/text/chat-template.ts"
import type { ChatMessage } from "../../../src/text/tokenizer-contract.ts"

const template = `{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {{- '\\n<tool_call>\\n{"name": "' + tool_call.function.name + '", "arguments": ' }}
            {{- tool_call.function.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}`

const compiled = compileChatTemplate(template)
const render: Render = (messages, add_generation_prompt) => compiled({ messages, add_generation_prompt })
/** The text, and of each assistant's turn what counts of it. */
function turnsOf(messages: readonly ChatMessage[]): string[] {
  const text = render(messages, false)
  const spans = findSpans(text, messages, false, render, /<\|im_(?:start|end)\|>/u, ["\u{e000}", "\u{e001}"])
  return spans.flatMap(({ message, start, end }) =>
    messages[message]!.role === "assistant" ? [text.slice(start, end)] : [],
  )
}
const call = (name: string, args: unknown) => ({ type: "function", function: { name, arguments: args } })
const user = { role: "user", content: "How warm is it in Ulm?" }
const written = '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call>'

describe("findSpans() with tool calls", () => {
  const asked = { role: "assistant", content: "", tool_calls: [call("weather", { city: "Ulm" })] }

  test("finds a turn that is a call alone, and the turns after it", () => {
    const messages = [user, asked, { role: "tool", content: "20" }, { role: "assistant", content: "20 degrees." }]
    expect(turnsOf(messages)).toEqual([`${written}<|im_end|>`, "20 degrees.<|im_end|>"])
  })

  test("finds a call that follows a text", () => {
    expect(turnsOf([user, { ...asked, content: "I'll look." }])).toEqual([`I'll look.\n${written}<|im_end|>`])
  })

  test("takes in every call of a turn", () => {
    const both = { ...asked, tool_calls: [...asked.tool_calls, call("weather", { city: "Ulm" })] }
    expect(turnsOf([user, both])).toEqual([`${written}\n${written}<|im_end|>`])
  })
})
