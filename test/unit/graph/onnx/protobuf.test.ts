/**
 * @module The wire format, against protobufjs.
 */
import { expect, test } from "bun:test"
import protobuf from "protobufjs"
import { ProtoWriter } from "../../../../src/graph/onnx/protobuf.ts"

const { Outer } = protobuf
  .parse(`syntax = "proto3"; package t;
  message Inner { string text = 1; repeated int64 numbers = 2; Inner inner = 3; }
  message Outer { bytes pad = 1; Inner inner = 2; float ratio = 3; }`)
  .root.lookup("t") as unknown as { Outer: protobuf.Type }

test("a message is the same wherever in the growing buffer it comes to lie", () => {
  const numbers = [0, 127, 128, 2 ** 31, 2 ** 40 + 1, -1, -(2 ** 40)]
  for (let pad = 960; pad < 1040; pad++) {
    const writer = new ProtoWriter()
    writer.bytes(1, new Uint8Array(pad).fill(7))
    writer.message(2, (inner) => {
      inner.string(1, "é𝄞".repeat(1 + (pad % 7)))
      for (const number of numbers) inner.int(2, number)
      inner.message(3, (deepest) => deepest.string(1, "x".repeat(1 + (pad % 3))))
    })
    writer.float(3, 0.5)
    const read = Outer.toObject(Outer.decode(writer.finish()), { longs: Number })
    expect(read["pad"]).toHaveLength(pad)
    expect(read["ratio"]).toBe(0.5)
    expect(read["inner"]).toMatchObject({
      text: "é𝄞".repeat(1 + (pad % 7)),
      numbers,
      inner: { text: "x".repeat(1 + (pad % 3)) },
    })
  }
})
