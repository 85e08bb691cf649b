/**
 * @module Frozen weights in an engine's own memory, each laid there once for all the sessions that read it, and given back
 * when the last of them is.
 */
import type { PlacedWeight, Tensor } from "../core/tensor.ts"
import type { DeviceTensor, FrozenWeights } from "./runtime.ts"

/** The weights of one session. */
export interface HeldWeights {
  /** By input name. */
  readonly feeds: Readonly<Record<string, DeviceTensor>>
  /** Gives them back; calling it twice is harmless. */
  release(): void
}

/** What one engine holds. */
export class SharedWeights {
  readonly #upload: (tensor: Tensor<"f32" | "f16">) => Promise<DeviceTensor>
  readonly #held = new Map<string, { readonly tensor: DeviceTensor; holders: number }>()
  /** Sessions take their weights one after the other: two that are made at once would lay the same ones twice. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(upload: (tensor: Tensor<"f32" | "f16">) => Promise<DeviceTensor>) {
    this.#upload = upload
  }

  /** Holds weights for a session. The blob is read only where one of them is not there yet. */
  hold(weights: FrozenWeights, wanted: readonly PlacedWeight[]): Promise<HeldWeights> {
    const held = this.#turn.then(() => this.#take(weights, wanted))
    this.#turn = held.catch(() => {})
    return held
  }

  async #take(weights: FrozenWeights, wanted: readonly PlacedWeight[]): Promise<HeldWeights> {
    const taken: string[] = []
    const feeds: Record<string, DeviceTensor> = {}
    const release = (): void => {
      for (const key of taken.splice(0)) this.#giveBack(key)
    }
    let blob: Uint8Array | null = null
    try {
      for (const weight of wanted) {
        const { name, dtype, shape, offset, length } = weight
        const key = `${weights.hash} ${dtype} [${shape}] ${offset}+${length}`
        let entry = this.#held.get(key)
        if (!entry) {
          blob ??= await weights.bytes()
          entry = { tensor: await this.#upload(tensorAt(blob, weight)), holders: 0 }
          this.#held.set(key, entry)
        }
        entry.holders++
        taken.push(key)
        feeds[name] = entry.tensor
      }
    } catch (error) {
      release()
      throw error
    }
    return { feeds, release }
  }

  #giveBack(key: string): void {
    const entry = this.#held.get(key)!
    entry.holders--
    if (entry.holders > 0) return
    this.#held.delete(key)
    entry.tensor.dispose()
  }
}

/** A weight of a blob. @throws {TypeError} If it is neither f32 nor f16. */
function tensorAt(blob: Uint8Array, { name, dtype, shape, offset, length }: PlacedWeight): Tensor<"f32" | "f16"> {
  // A copy, as a blob may begin anywhere in its buffer; a Buffer's own slice would be none.
  const { buffer } = new Uint8Array(blob.subarray(offset, offset + length))
  if (dtype === "f32") return { dtype, shape, data: new Float32Array(buffer) }
  if (dtype === "f16") return { dtype, shape, data: new Uint16Array(buffer) }
  throw new TypeError(`Weight ${name} is ${dtype}, which is not fed from an engine's memory`)
}
