/**
 * @module Which of Qwen's layers have a window: none unless `use_sliding_window` says so, then those from
 * `max_window_layers` on. Reference: transformers `models/qwen2/configuration_qwen2.py`.
 */
import type { LayerAttention } from "../architecture.ts"
import { flag, type Json } from "../config-reader.ts"
import { slidingLayers, windowOf } from "./llama-config.ts"
import type { RopeSettings } from "./rope-tables.ts"

/** How each layer attends. */
export const qwenAttention =
  (json: Json) =>
  (rope: RopeSettings, layers: number): LayerAttention[] => {
    const window = flag(json, "use_sliding_window", false) ? windowOf(json, 4096) : null
    const first = typeof json["max_window_layers"] === "number" ? json["max_window_layers"] : 28
    return slidingLayers(json, layers, (layer) => layer >= first).map((slides) => ({
      rope,
      window: slides ? window : null,
    }))
  }
