/**
 * @module PEFT's own folder: what adapters are kept as here, without the facts that only this project reads.
 */
import { encodeUtf8 } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import { asF32, assertFinite } from "../formats/as-f32.ts"
import { parseStrictJson } from "../formats/json-strict.ts"
import { ADAPTER_LIMITS, readSafetensors, writeSafetensors } from "../formats/safetensors.ts"
import type { AdapterFormat } from "./format.ts"

const CONFIG = "adapter_config.json"
const WEIGHTS = "adapter_model.safetensors"

export const peft: AdapterFormat = {
  name: "peft",
  single: false,
  files: [CONFIG, WEIGHTS],
  write({ name, config, tensors }) {
    if (config["peft_type"] === "BOTTLENECK")
      throw new EspalierError("unsupported", `PEFT has no bottlenecks, of which adapter "${name}" is made`, {
        hint: "--to adapter-hub writes what the library adapters reads",
        param: "to",
      })
    return new Map([
      [CONFIG, encodeUtf8(`${JSON.stringify(config, null, 2)}\n`)],
      [WEIGHTS, writeSafetensors(tensors)],
    ])
  },
  read(files) {
    const config = parseStrictJson(new TextDecoder().decode(files.get(CONFIG)!))
    if (typeof config !== "object" || config === null || Array.isArray(config))
      throw new EspalierError("invalid_file", `${CONFIG}: expected a JSON object`)
    const tensors = [...readSafetensors(files.get(WEIGHTS)!, WEIGHTS, ADAPTER_LIMITS)].map(([name, tensor]) => {
      const numbers = asF32(tensor, name, WEIGHTS)
      assertFinite(numbers.data, name, WEIGHTS)
      return [name, numbers] as const
    })
    return { config: config as Record<string, unknown>, tensors: new Map(tensors) }
  },
}
