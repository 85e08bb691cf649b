/**
 * @module First values of trainables, each from a stream of its own, so that one parameter's draw moves no other's.
 */
import type { InitTools, MethodEnv, ParameterSpec } from "../method.ts"
import type { Base } from "../models/base.ts"

/**
 * The first value of a parameter, f32 [shape].
 * @param keysAndValues see {@link InitTools}
 * @throws {TypeError} If a method's own initialisation has another size than its parameter.
 */
export async function initialise(
  spec: ParameterSpec,
  base: Base,
  env: MethodEnv,
  keysAndValues: InitTools["keysAndValues"],
): Promise<Float32Array> {
  const size = spec.shape.reduce((product, dim) => product * dim, 1)
  const { init } = spec
  const random = () => env.rng(`init:${spec.key}`)
  switch (init.kind) {
    case "zeros":
      return new Float32Array(size)
    case "ones":
      return new Float32Array(size).fill(1)
    case "uniform": {
      const r = random()
      return Float32Array.from({ length: size }, () => (2 * r.next() - 1) * init.bound)
    }
    case "normal":
      return normal(size, init.std, random())
    case "normal-like":
      return normal(size, deviation(await base.read(init.weight)) * (init.scale ?? 1), random())
    case "weight":
      return base.read(init.name)
    case "rows": {
      const table = await base.read(init.weight)
      const width = base.layout.get(init.weight)!.shape[1]!
      const out = new Float32Array(size)
      init.ids.forEach((id, i) => out.set(table.subarray(id * width, (id + 1) * width), i * width))
      return init.scale === undefined ? out : out.map((x) => x * init.scale!)
    }
    case "computed": {
      const made = await init.make({ read: (name) => base.read(name), random: random(), keysAndValues })
      if (made.length !== size) throw new TypeError(`Expected ${size} values of ${spec.key} but found ${made.length}`)
      return made
    }
    default:
      return init satisfies never
  }
}

const normal = (size: number, std: number, r: ReturnType<MethodEnv["rng"]>): Float32Array =>
  Float32Array.from({ length: size }, () => r.normal() * std)

function deviation(values: Float32Array): number {
  let sum = 0
  let squares = 0
  for (const x of values) {
    sum += x
    squares += x * x
  }
  const mean = sum / values.length
  return Math.sqrt(squares / values.length - mean * mean)
}
