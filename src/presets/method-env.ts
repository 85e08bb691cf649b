/**
 * @module What methods may ask of an open base.
 */
import { EspalierError } from "../core/errors.ts"
import { rng } from "../core/rng.ts"
import type { MethodEnv } from "../method.ts"
import type { Base } from "../models/base.ts"
import type { Tokenizer } from "../text/tokenizer-contract.ts"

/** The environment of a base; `seed` decides every initialisation. */
export function methodEnv(base: Base, tokenizer: Tokenizer | null, seed: number): MethodEnv {
  return {
    config: base.config,
    sites: base.architecture.sites(base.config),
    tokenEmbedding: `${base.architecture.tokenEmbedding}.weight`,
    encode(text) {
      if (!tokenizer) throw new EspalierError("invalid_request", `Base "${base.name}" has no tokenizer.json`)
      return tokenizer.encode(text)
    },
    rng: (purpose) => rng(seed, purpose),
  }
}
