/**
 * @module Which of the operators that the engine declares a graph of this toolkit may have, and the engine without the others'
 * declarations: they take 780 KB of code, which V8 translates whole, and memory for each.
 */
import { concatBytes } from "../../src/core/bytes.ts"
import { bodiesOf, codeSection, SECTIONS, withSections } from "../../src/runtime/wasm-file.ts"
import { withoutDeclarations } from "./declarations.ts"
import { declaredOperators } from "./declared-operators.ts"

/** Operators that graphs are lowered to, those that are exported included. */
const lowered =
  `Abs Add And Attention BitShift BitwiseAnd Cast Clip Concat ConstantOfShape CumSum DequantizeLinear Div Equal Erf Exp Expand FastGelu
  FusedMatMul Gather GatherElements GatherND Gelu Gemm Greater GroupQueryAttention Identity If LayerNormalization LessOrEqual Log
  MatMul MatMulNBits Mul Neg QuickGelu Range Reciprocal ReduceMax ReduceMean ReduceSum Relu Reshape RotaryEmbedding ScatterElements
  ScatterND Shape Sigmoid SimplifiedLayerNormalization Size SkipSimplifiedLayerNormalization Slice Softmax Split Sqrt Squeeze Sub Tanh
  Transpose Unsqueeze Where`.split(/\s+/)

/** Operators that the engine puts in their place, or asks for by name while it looks for what it can put there. */
const engines =
  `BiasGelu BiasSoftmax Constant DynamicQuantizeLinear DynamicQuantizeMatMul FusedGemm FusedMatMulActivation MatMulInteger
  MatMulIntegerToFloat MultiHeadAttention QuantizeLinear RMSNormalization SkipLayerNormalization TransposeMatMul`.split(
    /\s+/,
  )

/** Opsets that graphs name: see `lower.ts`. Each is served by the newest version of an operator that isn't newer. */
const OPSETS = [18, 23]
/** The domain of ONNX's own operators; others have one version. */
const ONNX = ""

const names = new Set([...lowered, ...engines])

interface Operator {
  readonly domain: string
  readonly name: string
  readonly version: number
}
const operators: readonly Operator[] = declaredOperators.operators
  .trim()
  .split("\n")
  .map((line) => {
    const [domain, name, version] = line.split(":") as [string, string, string]
    return { domain, name, version: Number(version) }
  })

/** Whether a graph may have an operator. */
function isWanted({ domain, name, version }: Operator): boolean {
  if (!names.has(name)) return false
  const versions = operators
    .filter((other) => other.domain === domain && other.name === name)
    .map((each) => each.version)
  return domain !== ONNX || OPSETS.some((opset) => version === Math.max(...versions.filter((each) => each <= opset)))
}

/** The engine with the declarations that graphs need. @param engine the one whose declarations are named */
export function withWantedOperators(engine: Uint8Array): Uint8Array {
  const { place } = declaredOperators
  const bodies = bodiesOf(engine)
  const wanted = operators.map(isWanted)
  const code = bodies.map((body, i) =>
    i === place
      ? [concatBytes(withoutDeclarations(engine, body, (declaration) => wanted[declaration]!))]
      : [engine.subarray(body.at, body.end)],
  )
  return withSections(engine, new Map([[SECTIONS.code, codeSection(code)]]))
}
