/**
 * @module Checks a value from outside against a schema, and says in one line what is wrong with it and where.
 */
import * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import { issueText } from "../core/issue-text.ts"

/** A message repeats what it found; nobody needs more of a wrong value than this. */
const longest = 300

/**
 * The value as `schema` reads it.
 * @throws {EspalierError} `invalid_request` with the path of the first field at fault as `param`
 */
export function checked<const S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  const [path, message] = describe(result.issues[0], "")
  const text = message.length > longest ? `${message.slice(0, longest)}...` : message
  throw new EspalierError(
    "invalid_request",
    path === "" ? `The request body is not what was expected: ${text}` : `\`${path}\`: ${text}`,
    path === "" ? {} : { param: path },
  )
}

/** The path and message of an issue; of a union, those of the alternative that came furthest. */
function describe(issue: v.BaseIssue<unknown>, prefix: string): [path: string, message: string] {
  const own = v.getDotPath(issue)
  const path = [prefix, own].filter((part) => part !== "" && part !== null).join(".")
  const deeper = issue.issues?.filter((inner) => inner.path !== undefined && inner.path.length > 0) ?? []
  if (deeper.length > 0) return describe(deeper[0]!, path)
  // Of the right type and yet not right: of that alternative there is more to tell than that there are several.
  const near = issue.issues?.find(({ kind }) => kind === "validation")
  if (near) return describe(near, path)
  // A key that is missing has an issue of its object, whose message names the key once more.
  if (issue.input === undefined && issue.message.startsWith("Invalid key: ")) {
    return [path, "Expected a value but found none"]
  }
  return [path, issueText(issue)]
}
