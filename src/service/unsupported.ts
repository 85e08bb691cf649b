/**
 * @module Fields of OpenAI's requests that would change the answer and that this version can't honour: named and refused,
 * never ignored in silence. Values that ask for what happens anyway pass.
 */
import { EspalierError } from "../core/errors.ts"

/** Values that pass, by field; null and absence always do. */
const harmless: Readonly<Record<string, (value: unknown) => boolean>> = {
  audio: () => false,
  function_call: (value) => value === "none" || value === "auto",
  functions: (value) => Array.isArray(value) && value.length === 0,
  guided_choice: () => false,
  guided_grammar: () => false,
  guided_json: () => false,
  guided_regex: () => false,
  length_penalty: (value) => value === 1,
  min_tokens: (value) => value === 0,
  modalities: (value) => Array.isArray(value) && value.every((each) => each === "text"),
  parallel_tool_calls: (value) => value === true,
  prediction: () => false,
  reasoning_effort: (value) => value === "none",
  service_tier: (value) => value === "auto" || value === "default",
  stop_token_ids: (value) => Array.isArray(value) && value.length === 0,
  store: (value) => value === false,
  use_beam_search: (value) => value === false,
  verbosity: () => false,
  web_search_options: () => false,
}

/** @throws {EspalierError} `unsupported` naming the field */
export function refuseUnsupported(body: unknown): void {
  if (typeof body !== "object" || body === null) return
  for (const [field, value] of Object.entries(body)) {
    if (value == null || !Object.hasOwn(harmless, field) || harmless[field]!(value)) continue
    throw new EspalierError("unsupported", `This version can't honour \`${field}\` with this value`, {
      hint: "Leave it out",
      param: field,
    })
  }
}
