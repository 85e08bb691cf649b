/**
 * @module Tools of a chat request: how they reach the base's chat template, what an answer is held to where a call is
 * asked for, and how calls are read out of it.
 */
import { EspalierError } from "../core/errors.ts"
import type { GenerateRequest } from "../serve/engine-api.ts"
import type { ChatMessage } from "../text/tokenizer-contract.ts"
import type { ToolForm } from "../text/tool-form.ts"
import type { ServiceContext } from "./context.ts"
import { createToolReader, type ToolReader } from "./tool-reader.ts"
import type { Tool, ToolChoice } from "./tools-wire.ts"
import type { ChatRequest, FinishBody } from "./wire.ts"

/** How a request's tools are used. */
export interface ToolPlan {
  /** For the template. */
  readonly tools: readonly Tool[]
  /** What the answer begins with, unasked, where a call is asked for; then it is held to `format`. */
  readonly forced: { readonly begin: string; readonly format: NonNullable<GenerateRequest["format"]> } | null
  readonly newReader: () => ToolReader
  /** Why an answer ended that called: a named function's call is, as OpenAI has it, no more than what was asked for. */
  readonly finish: FinishBody
}

/**
 * The plan for a request's tools; null where it has none, or none may be called.
 * @throws {EspalierError} `unsupported` if the base's template knows no tools, `invalid_request` for a choice of a tool
 *   that is not there
 */
export function toolPlan({ engine }: ServiceContext, request: ChatRequest): ToolPlan | null {
  const { tools, tool_choice: choice } = request
  if (!tools?.length) {
    if (choice == null || choice === "none" || choice === "auto") return null
    throw new EspalierError("invalid_request", "`tool_choice` needs `tools`", { param: "tool_choice" })
  }
  const { toolForm, base } = engine.info
  if (toolForm === null) throw withoutTools(base, "tools")
  if (choice === "none") return null
  const names = new Set(tools.map((tool) => tool.function.name))
  if (names.size < tools.length) {
    throw new EspalierError("invalid_request", "Two tools have the same name", { param: "tools" })
  }
  const asked = askedFor(tools, choice)
  if (asked !== null && request.response_format && request.response_format.type !== "text") {
    throw new EspalierError("invalid_request", "A call of a tool is asked for, and another format of the answer", {
      hint: "Leave out `tool_choice` or `response_format`",
      param: "response_format",
    })
  }
  if (asked !== null) {
    return {
      tools,
      forced: { begin: toolForm.begin, format: { type: "json_schema", schema: callSchema(asked, toolForm) } },
      newReader: () => createToolReader({ open: "", close: "" }, names),
      finish: choice === "required" ? "tool_calls" : "stop",
    }
  }
  return { tools, forced: null, newReader: () => createToolReader(toolForm, names), finish: "tool_calls" }
}

/** The tools of which one must be called; null where none must. */
function askedFor(tools: readonly Tool[], choice: ToolChoice): readonly Tool[] | null {
  if (choice === "required") return tools
  if (typeof choice !== "object" || choice === null) return null
  const named = tools.filter((tool) => tool.function.name === choice.function.name)
  if (named.length > 0) return named
  throw new EspalierError("invalid_request", `There is no tool "${choice.function.name}" among the tools`, {
    param: "tool_choice.function.name",
  })
}

/** What a call of one of these tools fits. */
function callSchema(tools: readonly Tool[], { argumentsKey }: ToolForm): object {
  const calls = tools.map(({ function: { name, parameters } }) => ({
    type: "object",
    properties: {
      name: { const: name },
      [argumentsKey]: parameters ?? { type: "object", properties: {}, additionalProperties: false },
    },
    required: ["name", argumentsKey],
    additionalProperties: false,
  }))
  // What a tool's schema refers to lies at its own root, which is not the root here.
  for (const { function: tool } of tools) {
    if (JSON.stringify(tool.parameters ?? {}).includes('"$ref"')) {
      throw new EspalierError(
        "unsupported",
        `The parameters of the tool "${tool.name}" refer to one another (\`$ref\`)`,
        {
          hint: "Write them out, or let the model choose (`tool_choice` auto)",
          param: "tools",
        },
      )
    }
  }
  return calls.length === 1 ? calls[0]! : { anyOf: calls }
}

/**
 * A request's messages as templates expect them: calls with their arguments as objects.
 * @throws {EspalierError} `unsupported` for calls and their results where the base's template knows none,
 *   `invalid_request` for arguments that are no JSON object and for messages that say nothing
 */
export function conversationOf({ engine }: ServiceContext, { messages }: ChatRequest): readonly ChatMessage[] {
  const { toolForm, base } = engine.info
  return messages.map((message, at): ChatMessage => {
    const path = `messages.${at}`
    if (message.role === "tool") {
      if (toolForm === null) throw withoutTools(base, path)
      return { role: "tool", content: message.content, tool_call_id: message.tool_call_id }
    }
    // OpenAI's newer name for the system's voice; templates know the older one.
    if (message.role !== "assistant") {
      return { role: message.role === "developer" ? "system" : message.role, content: message.content }
    }
    const { content, tool_calls: calls } = message
    if (!calls?.length) {
      if (content != null) return { role: "assistant", content }
      throw new EspalierError("invalid_request", `\`${path}.content\`: Expected a value but found none`, {
        param: `${path}.content`,
      })
    }
    if (toolForm === null) throw withoutTools(base, path)
    return {
      role: "assistant",
      content: content ?? "",
      tool_calls: calls.map(({ function: { name, arguments: text }, ...call }, i) => ({
        ...call,
        function: { name, arguments: argumentsOf(text, `${path}.tool_calls.${i}.function.arguments`) },
      })),
    }
  })
}

function argumentsOf(text: string, param: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value
  throw new EspalierError("invalid_request", `\`${param}\`: Expected the JSON of an object`, { param })
}

const withoutTools = (base: string, param: string): EspalierError =>
  new EspalierError("unsupported", `The chat template of "${base}" knows no tools`, {
    hint: "Use a base whose template does, such as Qwen2.5-Instruct",
    param,
  })
