/**
 * @module How llama.cpp calls what Hugging Face's checkpoints hold, and which architectures it wants turned rows of:
 * those whose rotation pairs neighbours there, and halves of a head in transformers.
 * Source: https://github.com/ggml-org/llama.cpp `gguf-py/gguf/tensor_mapping.py` and `convert_hf_to_gguf.py`
 */
import { EspalierError } from "../core/errors.ts"
import type { LinearSite } from "../models/site.ts"

/** What llama.cpp calls an architecture, and whether it turns the rows of q and k. */
const architectures: Readonly<Record<string, { readonly name: string; readonly turned: boolean }>> = {
  llama: { name: "llama", turned: true },
  mistral: { name: "llama", turned: true },
  smollm3: { name: "smollm3", turned: true },
  granite: { name: "granite", turned: true },
  qwen2: { name: "qwen2", turned: false },
  qwen3: { name: "qwen3", turned: false },
  gemma2: { name: "gemma2", turned: false },
  gemma3_text: { name: "gemma3", turned: false },
  phi3: { name: "phi3", turned: false },
  olmo2: { name: "olmo2", turned: false },
  gpt2: { name: "gpt2", turned: false },
}

/** llama.cpp's name of an architecture. @throws {EspalierError} `unsupported` for one that is not known to agree */
export function ggufArchitecture(modelType: string): { readonly name: string; readonly turned: boolean } {
  const found = Object.hasOwn(architectures, modelType) ? architectures[modelType] : undefined
  if (found) return found
  throw new EspalierError("unsupported", `GGUF files of ${modelType} are not known to this version`, {
    hint: `Known: ${Object.keys(architectures).join(", ")}`,
    param: "to",
  })
}

const roles: Readonly<Record<LinearSite["role"], string>> = {
  q: "attn_q",
  k: "attn_k",
  v: "attn_v",
  o: "attn_output",
  qkv: "attn_qkv",
  gate: "ffn_gate",
  up: "ffn_up",
  // Phi-3's fused gate and up go by the name of up there.
  gate_up: "ffn_up",
  down: "ffn_down",
  head: "output",
}

/** The name of a linear layer's weight, such as `blk.0.attn_q.weight`. */
export const ggufWeight = ({ role, layer }: LinearSite): string =>
  role === "head" ? "output.weight" : `blk.${layer}.${roles[role]}.weight`

/**
 * Rows [heads * headDim, columns] in the order that neighbours are rotated together: row 2 j + half of a head is the
 * checkpoint's half * headDim / 2 + j. @param back the other way
 */
export function turnRows(data: Float32Array, heads: number, headDim: number, back: boolean): Float32Array {
  const columns = data.length / (heads * headDim)
  const out = new Float32Array(data.length)
  for (let head = 0; head < heads; head++)
    for (let j = 0; j < headDim / 2; j++)
      for (let half = 0; half < 2; half++) {
        const apart = head * headDim + half * (headDim / 2) + j
        const paired = head * headDim + 2 * j + half
        const [from, to] = back ? [paired, apart] : [apart, paired]
        out.set(data.subarray(from * columns, (from + 1) * columns), to * columns)
      }
  return out
}
