/**
 * @module What the backends share over ONNX Runtime's JavaScript API: tensors both ways, one run at a time, and errors
 * that name the feed at fault.
 */
import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common"
import { freeNow } from "../core/bytes.ts"
import { EspalierError } from "../core/errors.ts"
import type { DType, Tensor } from "../core/tensor.ts"
import type { DeviceTensor, Feed, Session } from "./runtime.ts"

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
    if (tensor.dtype === "f16") {
      // Where Float16Array exists the constructor makes one of our bits, and Bun and Deno hand the native binding its
      // view with no bytes in it. Renamed after it is made, the tensor keeps its Uint16Array, which every engine reads.
      const bits = new Tensor("uint16", tensor.data, tensor.shape as number[])
      return Object.assign(bits, { type: "float16" }) as unknown as OrtTensor
    }
    return new Tensor(ortTypes[tensor.dtype], tensor.data as never, tensor.shape as number[])
  } catch (cause) {
    throw new TypeError(`Tensor ${name} of ${tensor.dtype} [${tensor.shape}] was refused: ${(cause as Error).message}`)
  }
}

/** ONNX Runtime's tensor as ours, over the same memory. */
export function fromOrt(name: string, tensor: OrtTensor): Tensor {
  const dtype = dtypes.get(tensor.type)
  if (!dtype) throw new TypeError(`Output ${name} has dtype ${tensor.type}, which this version doesn't know`)
  return { dtype, shape: tensor.dims, data: dtype === "f16" ? bitsOf(tensor.data) : tensor.data } as Tensor
}

/** f16 as its bits: where Float16Array exists, engines answer with one. */
const bitsOf = (data: OrtTensor["data"]): Uint16Array => {
  const { buffer, byteOffset, length } = data as Uint16Array
  return new Uint16Array(buffer, byteOffset, length)
}

/** ONNX Runtime's tensor on a device as ours. */
export function onDevice(name: string, tensor: OrtTensor): DeviceTensor {
  const dtype = dtypes.get(tensor.type)
  if (!dtype) throw new TypeError(`Output ${name} has dtype ${tensor.type}, which this version doesn't know`)
  return { dtype, shape: tensor.dims, handle: tensor, dispose: () => tensor.dispose() }
}

/** What is fed again and again, as caches and adapters at each token, is made the engine's once. */
const fed = new WeakMap<Tensor, { readonly by: TensorConstructor; readonly tensor: OrtTensor }>()

function feedOf(Tensor: TensorConstructor, name: string, feed: Feed): OrtTensor {
  if ("handle" in feed) return feed.handle as OrtTensor
  const known = fed.get(feed)
  if (known?.by === Tensor) return known.tensor
  const tensor = toOrt(Tensor, name, feed)
  fed.set(feed, { by: Tensor, tensor })
  return tensor
}

/** What of an ONNX Runtime session is used here. */
export type EngineSession = Pick<InferenceSession, "inputNames" | "outputNames" | "run" | "release">

/** How outputs reach the tensors they are to be written into, and what is said of a run that failed. */
export interface OrtSessionOptions {
  readonly Tensor: TensorConstructor
  /** Whether the engine writes into given tensors itself; where it can't, results are copied. */
  readonly writesInPlace: boolean
  /** Outputs that stay in the engine's memory. @default none */
  readonly keep?: readonly string[]
  /** Gives back what the session is fed from the engine's memory, when it runs no more and before it goes. @default nothing is */
  readonly letGo?: (() => void) | undefined
  /** What became of a run, for a backend that knows more than the engine says. @default {engineError} */
  readonly explain?: (what: RefusedWork, cause: unknown) => EspalierError | Promise<EspalierError>
}

/** Wraps an ONNX Runtime session. */
export function ortSession(
  session: EngineSession,
  { Tensor, writesInPlace, keep = [], explain = engineError, letGo }: OrtSessionOptions,
): Session {
  const returned = session.outputNames.filter((name) => !keep.includes(name))
  let running: Promise<unknown> | null = null
  let open = true
  return {
    async run(feeds, into = {}, kept) {
      if (!open) throw new TypeError("The session is disposed")
      if (running) throw new TypeError("A run of this session is under way: runs must not overlap")
      const inputs: Record<string, OrtTensor> = {}
      for (const name of session.inputNames) {
        const feed = feeds[name]
        if (!feed) throw new TypeError(`Input ${name} got no tensor`)
        inputs[name] = feedOf(Tensor, name, feed)
      }
      const fetches: Record<string, OrtTensor | null> = {}
      for (const name of session.outputNames) {
        const target = into[name]
        fetches[name] = target && writesInPlace ? toOrt(Tensor, name, target) : null
      }
      for (const name of Object.keys(into)) {
        if (!(name in fetches)) throw new TypeError(`There is no output ${name} to write into a tensor`)
      }
      const run = session.run(inputs, fetches)
      running = run
      try {
        const found = await run
        for (const name of keep) {
          const tensor = onDevice(name, found[name]!)
          if (kept) kept.set(name, tensor)
          else tensor.dispose()
        }
        return Object.fromEntries(
          returned.map((name) => [name, received(name, found[name]!, into[name], writesInPlace)]),
        )
      } catch (cause) {
        throw await explain("the run", cause)
      } finally {
        running = null
      }
    },
    async dispose() {
      if (!open) return
      open = false
      // An engine whose session goes while it runs reads memory that is no longer its own.
      await running?.catch(() => {})
      letGo?.()
      await session.release()
    },
  }
}

function received(name: string, found: OrtTensor, target: Tensor | undefined, writesInPlace: boolean): Tensor {
  if (!target) return fromOrt(name, found)
  if (writesInPlace) giveBack(found, target)
  else {
    const source = fromOrt(name, found)
    if (source.dtype !== target.dtype || source.shape.join() !== target.shape.join()) {
      throw new TypeError(
        `Output ${name} is ${source.dtype} [${source.shape}], but was to be written into ${target.dtype} [${target.shape}]`,
      )
    }
    ;(target.data as Float32Array).set(source.data as Float32Array)
    // A run's gradients: left to the collector, those of a dozen runs lie about.
    freeNow(source.data)
  }
  return target
}

/**
 * The native binding writes into the tensor it was given, and then hands out a copy of it that nobody asked for: a run's
 * gradients, or a whole KV cache for each token. Left to the collector, such copies were half of a process's memory.
 */
function giveBack(found: OrtTensor, target: Tensor): void {
  const copy = found.data as Float32Array
  if (copy.buffer !== target.data.buffer) freeNow(copy)
}

/** What an engine was asked for. */
export type RefusedWork = "a graph" | "the run" | "a tensor"

/** How engines, V8 and JavaScriptCore say that there was no memory. */
const noMemory =
  /bad_alloc|bad allocation|failed to allocate|out of memory|allocation failed|maximum memory size exceeded|\bOOM\b/i

/** What an engine threw as an error of ours: want of memory is nobody's fault, and may pass. */
export function engineError(what: RefusedWork, cause: unknown): EspalierError {
  const message = engineMessage(cause)
  if (!noMemory.test(message)) return new EspalierError("internal", `The engine refused ${what}: ${message}`, { cause })
  return new EspalierError("unavailable", `The engine has no memory left for ${what}: ${message}`, {
    hint: "Take shorter rows or contexts, fewer at once, or a base held in fewer bits; espalier plan says what a run needs",
    cause,
  })
}

/** An engine's message without what is for its own developers: source locations, stacks, codes. */
export const engineMessage = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .split("\n")
    .map((line) =>
      line
        .replace(/^.*ERROR_MESSAGE: /, "")
        .replace(/\S+\.(cc|cpp|h):\d+ .*(\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : | was false\. )/, "")
        .replace(/\S+\.(cc|cpp|h):\d+ /, "")
        .trim(),
    )
    .filter((line) => line !== "" && !line.startsWith("at "))
    .join(" ")
    .slice(0, 300)
