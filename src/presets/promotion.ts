/**
 * @module The promotion gate at serving: what a run held back, because the base forgot more over it than the run was
 * allowed (`--max-forgetting`), is served only where that is asked for.
 */
import { EspalierError } from "../core/errors.ts"

/** espalier.json, or the part of it that the gate is about. */
export type PromotionFacts = Readonly<Record<string, unknown>> | null | undefined

/**
 * @param what how messages call it
 * @throws {EspalierError} `conflict` for what was held back.
 */
export function checkPromoted(facts: PromotionFacts, what: string): void {
  if (facts?.["promoted"] !== false) return
  const { forgotten } = (facts["retention"] ?? {}) as { readonly forgotten?: unknown }
  const limit = facts["max_forgetting"]
  const figures =
    typeof forgotten === "number" && typeof limit === "number"
      ? `: the base forgot ${forgotten.toFixed(1)} points over it, more than the ${limit} allowed`
      : ""
  throw new EspalierError("conflict", `${what} was not promoted to serving${figures}`, {
    hint: "Serve or merge it all the same with --force, or train it with a remedy of docs/forgetting.md",
  })
}
