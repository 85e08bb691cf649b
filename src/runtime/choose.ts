/**
 * @module The choice of a backend: what was asked for, or the first that runs here, and why.
 */
import { EspalierError } from "../core/errors.ts"
import type { Backend, BackendName } from "./runtime.ts"

/** A choice, and the reason for it, for people. */
export interface Choice {
  readonly backend: Backend
  readonly why: string
}

/**
 * Picks a backend.
 * @param name a backend's name, or `auto` for the first of `backends` that can run here
 * @throws {EspalierError} `unavailable` with each reason, if none can; `invalid_request` for a name that is not known.
 */
export async function chooseBackend(name: BackendName | "auto", backends: readonly Backend[]): Promise<Choice> {
  if (name !== "auto") {
    const backend = backends.find((each) => each.name === name)
    if (!backend) {
      throw new EspalierError("invalid_request", `There is no backend "${name}"`, {
        param: "backend",
        hint: `Known: auto, ${backends.map((each) => each.name).join(", ")}`,
      })
    }
    const found = await backend.probe()
    if (found.ok) return { backend, why: `backend ${name}, as asked` }
    throw new EspalierError("unavailable", `Backend ${name} can't run here: ${found.reason}`, {
      param: "backend",
      hint: "Use --backend auto",
    })
  }
  const reasons: string[] = []
  for (const backend of backends) {
    const found = await backend.probe()
    if (found.ok)
      return {
        backend,
        why: `backend ${backend.name}: ${reasons.length === 0 ? "the fastest that runs here" : reasons.join("; ")}`,
      }
    reasons.push(`${backend.name} can't run here (${found.reason})`)
  }
  throw new EspalierError("unavailable", `No backend can run here: ${reasons.join("; ")}`)
}
