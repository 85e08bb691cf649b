/**
 * @module What is wrong with a value, as people say it: a schema's own messages speak of lengths as bare numbers and of
 * unknown fields as of the type `never`.
 */

import type { BaseIssue } from "valibot"

/** Begins upper case and has no full stop, as every message. */
export function issueText(issue: BaseIssue<unknown>): string {
  const { type, expected, received, input, requirement } = issue
  if (expected === "never") return "There is no field of this name"
  switch (type) {
    case "integer":
      return `Expected a whole number but found ${received}`
    case "min_length":
    case "min_entries":
      return `Expected at least ${counted(Number(requirement), input)} but found ${received}`
    case "max_length":
    case "max_entries":
      return `Expected at most ${counted(Number(requirement), input)} but found ${received}`
    default:
      return issue.message.replace(/^Invalid \w+: /, "").replace(" but received ", " but found ")
  }
}

/** So many of what the value is made of. */
function counted(count: number, input: unknown): string {
  const noun = typeof input === "string" ? "character" : Array.isArray(input) ? "item" : "field"
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
