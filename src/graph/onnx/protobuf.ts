/**
 * @module Writing protobuf's wire format: https://protobuf.dev/programming-guides/encoding/.
 */
const utf8 = new TextEncoder()

/** Collects the fields of one message. */
export class ProtoWriter {
  readonly #parts: Uint8Array[] = []
  #length = 0

  /** A varint field; negative numbers take ten bytes, as int64 does. */
  int(field: number, value: number): void {
    this.#varint(field << 3)
    this.#varint(value)
  }

  /** A 32-bit float field. */
  float(field: number, value: number): void {
    this.#varint((field << 3) | 5)
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    this.#push(bytes)
  }

  /** A text field. */
  string(field: number, value: string): void {
    this.bytes(field, utf8.encode(value))
  }

  /** A field of bytes; they are not copied before {@link finish}. */
  bytes(field: number, value: Uint8Array): void {
    this.#varint((field << 3) | 2)
    this.#varint(value.length)
    this.#push(value)
  }

  /** A field that is a message. */
  message(field: number, write: (writer: ProtoWriter) => void): void {
    const inner = new ProtoWriter()
    write(inner)
    this.#varint((field << 3) | 2)
    this.#varint(inner.#length)
    for (const part of inner.#parts) this.#push(part)
  }

  /** The message's bytes. */
  finish(): Uint8Array {
    const out = new Uint8Array(this.#length)
    let at = 0
    for (const part of this.#parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
  }

  #varint(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    const bytes: number[] = []
    do {
      const low = Number(rest & 127n)
      rest >>= 7n
      bytes.push(rest > 0n ? low | 128 : low)
    } while (rest > 0n)
    this.#push(Uint8Array.from(bytes))
  }
}
