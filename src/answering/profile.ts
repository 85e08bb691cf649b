/**
 * @module `retrieval.json`: how a base is shown passages, and the router that was calibrated for it.
 */
import * as v from "valibot"
import { EspalierError } from "../core/errors.ts"
import { featureNames } from "./features.ts"
import { plainReading, type Reading } from "./reading.ts"
import type { Router } from "./router.ts"

/** What retrieval over a base goes by. */
export interface RetrievalProfile {
  readonly reading: Reading
  readonly router: Router
}

const part = v.pipe(v.number(), v.minValue(0), v.maxValue(1))
const pattern = (...slots: readonly string[]) =>
  v.pipe(
    v.string(),
    v.maxLength(4096),
    ...([
      v.check(
        (text: string) => slots.every((slot) => text.split(`{${slot}}`).length === 2),
        `Expected {${slots.join("} and {")}} once each`,
      ),
    ] as const),
  )
const reading = v.strictObject({
  passage: pattern("text"),
  separator: v.pipe(v.string(), v.maxLength(64)),
  prompt: pattern("passages", "question"),
  passages: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)),
  leastScore: part,
  leastRelevance: part,
  unknown: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(256))), v.minLength(1), v.maxLength(32)),
})
const weight = v.pipe(v.number(), v.minValue(-1000), v.maxValue(1000))
const router = v.strictObject({
  bias: weight,
  // A calibration from before there was a feature does not look at it.
  weights: v.strictObject(
    Object.fromEntries(featureNames.map((name) => [name, v.optional(weight, 0)])) as Record<
      (typeof featureNames)[number],
      v.OptionalSchema<typeof weight, 0>
    >,
  ),
  threshold: part,
  precision: part,
  recall: part,
  examples: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1e9)),
})
const profile = v.strictObject({ reading: v.optional(reading), router: v.optional(router) })

/**
 * For bases that nobody has calibrated: the relevance of what was found decides, and so does a draft that says that it
 * doesn't know.
 */
export const plainRouter: Router = {
  bias: -4,
  weights: {
    question: 1,
    named: 1,
    command: -1,
    material: -1,
    marks: -1,
    relevance: 3,
    bareRelevance: 1,
    doubt: 1,
    unknown: 2,
  },
  threshold: 0.5,
  precision: 0,
  recall: 0,
  examples: 0,
}

/**
 * A profile out of the text of its file; what it leaves out is the plain one's.
 * @param path for errors
 * @throws {EspalierError} `invalid_file` naming the field
 */
export function readProfile(text: string, path: string): RetrievalProfile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new EspalierError("invalid_file", `${path} is not valid JSON`, { cause })
  }
  const result = v.safeParse(profile, json, { abortEarly: true })
  if (!result.success) {
    const [issue] = result.issues
    throw new EspalierError("invalid_file", `${path}: ${v.getDotPath(issue) ?? "the file"}: ${issue.message}`)
  }
  return { reading: result.output.reading ?? plainReading, router: result.output.router ?? plainRouter }
}
