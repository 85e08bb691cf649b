/**
 * @module What every adapter_config.json says beside its method's own part.
 */
import type { Base } from "../models/base.ts"

/** The PEFT version whose layout is written. */
const PEFT_VERSION = "0.21.0"

/** adapter_config.json of an adapter for a base. @param own the method's part */
export const peftConfig = (base: Base, own: Readonly<Record<string, unknown>>): Record<string, unknown> => ({
  ...own,
  base_model_name_or_path: base.name,
  inference_mode: true,
  peft_version: PEFT_VERSION,
})
