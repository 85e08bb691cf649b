/**
 * @module What the backends share over ONNX Runtime's JavaScript API: tensors both ways, one run at a time, and errors
 * that name the feed at fault.
 */
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common"
import { EspalierError } from "../core/errors.ts"
import type { DType, Tensor, TensorData } from "../core/tensor.ts"
import type { Session } from "./runtime.ts"

const ortTypes: Record<Exclude<DType, "bf16">, OrtTensor.Type> = {
  f32: "float32",
  f16: "float16",
  i64: "int64",
  i32: "int32",
  i8: "int8",
  u8: "uint8",
  bool: "bool",
}
const dtypes = new Map(Object.entries(ortTypes).map(([dtype, type]) => [type as string, dtype as DType]))

/** Our tensor as ONNX Runtime's, over the same memory. */
export function toOrt(Tensor: TensorConstructor, name: string, tensor: Tensor): OrtTensor {
  if (tensor.dtype === "bf16") throw new TypeError(`Tensor ${name} is bf16, which sessions don't take`)
  try {
    return new Tensor(ortTypes[tensor.dtype], tensor.data as never, tensor.shape as number[])
  } catch (cause) {
    throw new TypeError(`Tensor ${name} of ${tensor.dtype} [${tensor.shape}] was refused: ${(cause as Error).message}`)
  }
}

/** ONNX Runtime's tensor as ours, over the same memory. */
export function fromOrt(name: string, tensor: OrtTensor): Tensor {
  const dtype = dtypes.get(tensor.type)
  if (!dtype) throw new TypeError(`Output ${name} has dtype ${tensor.type}, which this version doesn't know`)
  return { dtype, shape: tensor.dims, data: tensor.data as TensorData } as Tensor
}

/** How outputs reach the tensors they are to be written into. */
export interface OrtSessionOptions {
  readonly Tensor: TensorConstructor
  /** Whether the engine writes into given tensors itself; where it can't, results are copied. */
  readonly writesInPlace: boolean
}

/** Wraps an ONNX Runtime session. */
export function ortSession(session: InferenceSession, { Tensor, writesInPlace }: OrtSessionOptions): Session {
  let busy = false
  let open = true
  return {
    async run(feeds, into = {}) {
      if (!open) throw new TypeError("The session is disposed")
      if (busy) throw new TypeError("A run of this session is under way: runs must not overlap")
      const inputs: Record<string, OrtTensor> = {}
      for (const name of session.inputNames) {
        const feed = feeds[name]
        if (!feed) throw new TypeError(`Input ${name} got no tensor`)
        inputs[name] = toOrt(Tensor, name, feed)
      }
      const fetches: Record<string, OrtTensor | null> = {}
      for (const name of session.outputNames) {
        const target = into[name]
        fetches[name] = target && writesInPlace ? toOrt(Tensor, name, target) : null
      }
      busy = true
      try {
        const found = await session.run(inputs, fetches)
        return Object.fromEntries(
          session.outputNames.map((name) => [name, received(name, found[name]!, into[name], writesInPlace)]),
        )
      } catch (cause) {
        throw new EspalierError("internal", `The engine refused the run: ${firstLine(cause)}`, { cause })
      } finally {
        busy = false
      }
    },
    async dispose() {
      if (!open) return
      open = false
      await session.release()
    },
  }
}

function received(name: string, found: OrtTensor, target: Tensor | undefined, writesInPlace: boolean): Tensor {
  if (!target) return fromOrt(name, found)
  if (!writesInPlace) {
    const source = fromOrt(name, found)
    ;(target.data as Float32Array).set(source.data as Float32Array)
  }
  return target
}

/** The first line of an engine's message: the rest is its own source locations. */
export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 300)
