/**
 * @module Tools in OpenAI's shapes: what requests may offer, choose and say of calls, and how answers call.
 *
 * Source: https://platform.openai.com/docs/api-reference/chat/create
 */
import * as v from "valibot"

const toolName = v.pipe(v.string(), v.regex(/^[a-zA-Z0-9_-]{1,64}$/, "Expected 1 to 64 letters, digits, _ and -"))

/** Valibot takes lists for objects. */
const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

/** `tools` of a request. */
export const toolsField = v.nullish(
  v.pipe(
    v.array(
      v.object({
        type: v.literal("function"),
        function: v.object({
          name: toolName,
          description: v.nullish(v.pipe(v.string(), v.maxLength(16_384))),
          parameters: v.nullish(v.custom<object>(isRecord, "Expected a JSON schema")),
          strict: v.nullish(v.boolean()),
        }),
      }),
    ),
    v.maxLength(128),
  ),
)

/** `tool_choice` of a request. */
export const toolChoiceField = v.nullish(
  v.union([
    v.picklist(["none", "auto", "required"]),
    v.object({ type: v.literal("function"), function: v.object({ name: toolName }) }),
  ]),
)

/** `tool_calls` of an assistant's message. */
export const toolCallsField = v.nullish(
  v.pipe(
    v.array(
      v.object({
        id: v.pipe(v.string(), v.maxLength(256)),
        type: v.literal("function"),
        function: v.object({ name: v.pipe(v.string(), v.maxLength(256)), arguments: v.string() }),
      }),
    ),
    v.maxLength(128),
  ),
)

/** A tool that may be called. */
export type Tool = NonNullable<v.InferOutput<typeof toolsField>>[number]

/** Which tool is to be called. */
export type ToolChoice = v.InferOutput<typeof toolChoiceField>

/** A call in an answer. */
export interface ToolCallBody {
  readonly id: string
  readonly type: "function"
  readonly function: {
    readonly name: string
    /** JSON. */
    readonly arguments: string
  }
}
