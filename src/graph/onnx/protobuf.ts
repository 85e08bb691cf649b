/**
 * @module Writing protobuf's wire format: https://protobuf.dev/programming-guides/encoding/.
 */
import { freeNow } from "../../core/bytes.ts"

const utf8 = new TextEncoder()
/** The most bytes that a varint takes. */
const VARINT = 10

/** Collects the fields of one message, in one buffer that grows: thousands of small arrays would be left to the collector. */
export class ProtoWriter {
  #bytes = new Uint8Array(1024)
  #length = 0

  /** A varint field; negative numbers take ten bytes, as int64 does. */
  int(field: number, value: number): void {
    this.#varint(field << 3)
    this.#varint(value)
  }

  /** A 32-bit float field. */
  float(field: number, value: number): void {
    this.#varint((field << 3) | 5)
    this.#reserve(4)
    new DataView(this.#bytes.buffer).setFloat32(this.#length, value, true)
    this.#length += 4
  }

  /** A text field. */
  string(field: number, value: string): void {
    const start = this.#length
    // No character takes more than three bytes of UTF-8 for each of its UTF-16 units.
    this.#reserve(3 * value.length)
    this.#length += utf8.encodeInto(value, this.#bytes.subarray(start)).written
    this.#delimit(field, start)
  }

  /** A field of bytes. */
  bytes(field: number, value: Uint8Array): void {
    this.#varint((field << 3) | 2)
    this.#varint(value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  /** A field that is a message. @param write gets a writer of that message's fields */
  message(field: number, write: (writer: ProtoWriter) => void): void {
    const start = this.#length
    write(this)
    this.#delimit(field, start)
  }

  /** The message's bytes. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Puts a field's tag and length before its content, which is what was written from a place on. */
  #delimit(field: number, start: number): void {
    const size = this.#length - start
    const tag = (field << 3) | 2
    const head = varintLength(tag) + varintLength(size)
    // Room for both numbers wherever they begin: growing while they are written would lose what stands behind them.
    this.#reserve(2 * VARINT)
    this.#bytes.copyWithin(start + head, start, this.#length)
    this.#length = start
    this.#varint(tag)
    this.#varint(size)
    this.#length += size
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
    larger.set(this.#bytes.subarray(0, this.#length))
    freeNow(this.#bytes)
    this.#bytes = larger
  }

  #varint(value: number): void {
    this.#reserve(VARINT)
    if (value < 0) {
      this.#negative(value)
      return
    }
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 128
    this.#bytes[this.#length++] = rest
  }

  /** A negative number as the 64 bits of its two's complement. */
  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest >= 128n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 127n) | 128
    this.#bytes[this.#length++] = Number(rest)
  }
}

/** Bytes of a number that is not negative. */
function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++
  return length
}
