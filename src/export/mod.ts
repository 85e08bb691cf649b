/**
 * @module The formats of adapters that are written and read.
 */
import { adapterHub } from "./adapter-hub.ts"
import type { AdapterFormat } from "./format.ts"
import { ggufAdapter } from "./gguf-adapter.ts"
import { mlx } from "./mlx.ts"
import { onnxAdapter } from "./onnx-adapter.ts"
import { peft } from "./peft.ts"

/** Every format. */
export const adapterFormats: readonly AdapterFormat[] = [peft, ggufAdapter, mlx, onnxAdapter, adapterHub]
