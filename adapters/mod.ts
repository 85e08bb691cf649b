/**
 * @module The methods this version has. A new one is its file and a line here.
 */
import type { Method } from "../src/method.ts"
import { full } from "./full.ts"
import { lora } from "./lora.ts"
import { promptTuning } from "./prompt-tuning.ts"

/** Every method, in the order that help shows them. */
export const methods: readonly Method[] = [lora, promptTuning, full]
