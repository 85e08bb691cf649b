import { describe, expect, test } from "bun:test"
import { adamW } from "../../../src/train/optimizer.ts"
import type { Parameter } from "../../../src/train/step.ts"

/**
 * Made with PyTorch 2.13: torch.optim.AdamW over two f32 tensors of 4 and 3 values, one group with lr 1e-2 and
 * weight_decay 0.1, one with lr 4e-2 and none, betas (0.9, 0.99), eps 1e-6, foreach=False, four steps.
 */
const torch = {
  init: [
    -0.003743410110473633, 0.26822179555892944, -0.4115225672721863, -0.3679695129394531, -0.19257718324661255,
    0.13407868146896362, -0.009906589984893799,
  ],
  gradients: [
    [
      0.16421625018119812, 0.3057610094547272, 0.20998091995716095, 0.905626118183136, 0.6035430431365967,
      0.8109818696975708, -0.04508150741457939,
    ],
    [
      0.00879694614559412, 0.0104820616543293, -0.0004450046399142593, -0.007228843867778778, 2.866340160369873,
      -0.5655086040496826, 0.16043701767921448,
    ],
    [
      -2.535118710511597e-6, 0.0001073900202754885, 0.0002262845664517954, -9.175292507279664e-5, -0.22511571645736694,
      2.3466382026672363, -1.1088484525680542,
    ],
    [
      1.6253527519438649e-6, 1.2333362064964604e-6, -1.8318552008622646e-7, -1.3140254395693773e-6, -1.6894433498382568,
      1.252506971359253, -0.5545191168785095,
    ],
  ],
  values: [
    [
      -0.013739606365561485, 0.25795361399650574, -0.42111101746559143, -0.3776015341281891, -0.2325771152973175,
      0.09407872706651688, 0.030092522501945496,
    ],
    [
      -0.020831050351262093, 0.25072821974754333, -0.42738983035087585, -0.38387995958328247, -0.2671528458595276,
      0.08912447839975357, 0.008724261075258255,
    ],
    [
      -0.026314936578273773, 0.24507713317871094, -0.4321601986885071, -0.3886522352695465, -0.2919018566608429,
      0.06417333334684372, 0.03143472969532013,
    ],
    [
      -0.03080807998776436, 0.24039830267429352, -0.4359954297542572, -0.39249682426452637, -0.2978724241256714,
      0.035571951419115067, 0.05840839818120003,
    ],
  ],
  m: [
    0.012683851644396782, 0.023148812353610992, 0.015291910618543625, 0.06542621552944183, 0.0869670957326889,
    0.34976252913475037, -0.1455393135547638,
  ],
  v: [
    0.0002624187618494034, 0.0009082074975594878, 0.00042782659875229, 0.007958502508699894, 0.11310244351625443,
    0.07972010225057602, 0.015519406646490097,
  ],
}

const parameters: Parameter[] = [
  { name: "a", shape: [4], offset: 0, size: 4, decay: true, lrScale: 1 },
  { name: "b", shape: [3], offset: 4, size: 3, decay: false, lrScale: 4 },
]
const options = { betas: [0.9, 0.99], eps: 1e-6, weightDecay: 0.1 } as const

/** One f32 rounding of values below 0.5 is 3e-8. */
const TOLERANCE = 1e-7

function expectNear(actual: Float32Array, expected: readonly number[]): void {
  const worst = Math.max(...expected.map((x, i) => Math.abs(x - actual[i]!)))
  expect(worst).toBeLessThanOrEqual(TOLERANCE)
  expect(actual.length).toBe(expected.length)
}

describe("adamW()", () => {
  test("moves values as PyTorch's does, with decay and rate by parameter", () => {
    const optimizer = adamW(parameters, options)
    const values = Float32Array.from(torch.init)
    for (const [i, gradients] of torch.gradients.entries()) {
      optimizer.update(values, Float32Array.from(gradients), 1e-2)
      expectNear(values, torch.values[i]!)
    }
    const { updates, m, v } = optimizer.state()
    expect(updates).toBe(4)
    expectNear(m, torch.m)
    expectNear(v, torch.v)
  })

  test("goes on from a restored state with the same bits", () => {
    const whole = adamW(parameters, options)
    const values = Float32Array.from(torch.init)
    const gradients = torch.gradients.map((row) => Float32Array.from(row))
    for (const row of gradients.slice(0, 2)) whole.update(values, row, 1e-2)
    const held = values.slice()
    const { updates, m, v } = whole.state()
    const state = { updates, m: m.slice(), v: v.slice() }
    for (const row of gradients.slice(2)) whole.update(values, row, 1e-2)

    const resumed = adamW(parameters, options)
    resumed.restore(state)
    for (const row of gradients.slice(2)) resumed.update(held, row, 1e-2)
    expect(held).toEqual(values)
  })

  test("leaves gradients as they are", () => {
    const gradients = Float32Array.from(torch.gradients[0]!)
    adamW(parameters).update(Float32Array.from(torch.init), gradients, 1e-2)
    expect(gradients).toEqual(Float32Array.from(torch.gradients[0]!))
  })

  test("refuses a state of other parameters", () => {
    const state = { updates: 1, m: new Float32Array(6), v: new Float32Array(6) }
    expect(() => adamW(parameters).restore(state)).toThrow("Expected moments of 7 values but found 6 and 6")
  })
})
