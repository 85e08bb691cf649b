import type { DType } from "../../core/tensor.ts"
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor, OnnxValueInfo } from "./schema.ts"
const codes: Record<DType, number> = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, bf16: 16 }
class W {
  parts: Uint8Array[] = []; 
  varint(n: number | bigint) { let v = BigInt.asUintN(64, BigInt(n)); const out: number[] = []; do { let b = Number(v & 127n); v >>= 7n; if (v) b |= 128; out.push(b) } while (v); this.parts.push(Uint8Array.from(out)) }
  int(f: number, n: number) { this.varint(f << 3); this.varint(n) }
  bytes(f: number, b: Uint8Array) { this.varint((f << 3) | 2); this.varint(b.length); this.parts.push(b) }
  str(f: number, s: string) { this.bytes(f, new TextEncoder().encode(s)) }
  float(f: number, x: number) { this.varint((f << 3) | 5); const b = new Uint8Array(4); new DataView(b.buffer).setFloat32(0, x, true); this.parts.push(b) }
  msg(f: number, fn: (w: W) => void) { const w = new W(); fn(w); this.bytes(f, w.done()) }
  done() { let n = 0; for (const p of this.parts) n += p.length; const out = new Uint8Array(n); n = 0; for (const p of this.parts) { out.set(p, n); n += p.length } return out }
}
const attr = (w: W, name: string, a: OnnxAttribute) => { w.str(1, name); if (a.kind === "float") w.float(2, a.value), w.int(20, 1); if (a.kind === "int") w.int(3, a.value), w.int(20, 2); if (a.kind === "string") w.str(4, a.value), w.int(20, 3); if (a.kind === "floats") { for (const x of a.value) w.float(7, x); w.int(20, 6) } if (a.kind === "ints") { for (const x of a.value) w.int(8, x); w.int(20, 7) } }
const node = (w: W, n: OnnxNode) => { for (const i of n.inputs) w.str(1, i); for (const o of n.outputs) w.str(2, o); w.str(3, n.name); w.str(4, n.opType); for (const [k, a] of Object.entries(n.attributes)) w.msg(5, (x) => attr(x, k, a)); if (n.domain) w.str(7, n.domain) }
const tensor = (w: W, t: OnnxTensor) => { for (const d of t.shape) w.int(1, d); w.int(2, codes[t.dtype]); w.str(8, t.name); if (t.data.kind === "inline") w.bytes(9, t.data.bytes); else { const d = t.data; for (const [k, v] of [["location", d.location], ["offset", d.offset], ["length", d.length]] as const) w.msg(13, (x) => { x.str(1, k); x.str(2, String(v)) }); w.int(14, 1) } }
const info = (w: W, v: OnnxValueInfo) => { w.str(1, v.name); w.msg(2, (t) => t.msg(1, (tt) => { tt.int(1, codes[v.dtype]); tt.msg(2, (s) => { for (const d of v.shape) s.msg(1, (x) => typeof d === "number" ? x.int(1, d) : x.str(2, d)) }) })) }
export function encodeModel(m: OnnxModel): Uint8Array {
  const w = new W(); w.int(1, 10); w.str(2, "espalier")
  w.msg(7, (g) => { for (const n of m.nodes) g.msg(1, (x) => node(x, n)); g.str(2, m.name); for (const t of m.initializers) g.msg(5, (x) => tensor(x, t)); for (const v of m.inputs) g.msg(11, (x) => info(x, v)); for (const v of m.outputs) g.msg(12, (x) => info(x, v)) })
  for (const [d, v] of Object.entries(m.opsets)) w.msg(8, (x) => { if (d) x.str(1, d); x.int(2, v) })
  return w.done()
}
