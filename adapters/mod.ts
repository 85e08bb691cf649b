/**
 * @module The methods this version has. A new one is its file and a line here.
 */
import type { Method } from "../src/method.ts"
import { adalora } from "./adalora.ts"
import { bitfit } from "./bitfit.ts"
import { bottleneck } from "./bottleneck.ts"
import { dora } from "./dora.ts"
import { full } from "./full.ts"
import { ia3 } from "./ia3.ts"
import { lnTuning } from "./ln-tuning.ts"
import { lora } from "./lora.ts"
import { pTuning } from "./p-tuning.ts"
import { prefixTuning } from "./prefix-tuning.ts"
import { promptTuning } from "./prompt-tuning.ts"
import { selective } from "./selective.ts"
import { vera } from "./vera.ts"

/** Every method, in the order that help shows them: reparameterised, additive, selective, full. */
export const methods: readonly Method[] = [
  lora,
  dora,
  adalora,
  vera,
  promptTuning,
  pTuning,
  prefixTuning,
  ia3,
  bottleneck,
  bitfit,
  lnTuning,
  selective,
  full,
]
