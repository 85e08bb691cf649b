import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeRandomLora } from "../../../scripts/random-lora.ts"
import { type OpenBase, openBase } from "../../../src/presets/open-base.ts"
import { readAdapter } from "../../../src/presets/read-adapter.ts"
import { denseDeltas, relativeError } from "../../support/dense-delta.ts"
import { runCli } from "../../support/run-cli.ts"
import { writeTinyBase } from "../../support/tiny-base.ts"

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), "espalier-merge-"))
const base = join(root, "twig")
const at = (name: string): string => join(root, name)
let open: OpenBase

const merge = (...args: string[]) => runCli("merge", "--base", base, ...args)
const formsOf = async (name: string) => (await readAdapter(open, at(name))).forms

beforeAll(async () => {
  writeTinyBase(base, 1)
  open = await openBase(base)
  await writeRandomLora(open, at("plain"), { seed: 1, std: 0.2, settings: { rank: 4, alpha: 8 } })
  const settings = {
    rank: 2,
    alpha: 16,
    rsLora: true,
    targets: ["q_proj", "v_proj", "up_proj"],
    rankPattern: { "layers.1.mlp.up_proj": 5 },
    alphaPattern: { "layers.0.self_attn.q_proj": 3 },
  }
  await writeRandomLora(open, at("patterned"), { seed: 2, std: 0.2, settings })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe("espalier merge", () => {
  test("takes no adapter that was held back, unless it is forced to", async () => {
    cpSync(at("plain"), at("held"), { recursive: true })
    const facts = JSON.parse(readFileSync(join(at("held"), "espalier.json"), "utf8")) as object
    writeFileSync(join(at("held"), "espalier.json"), JSON.stringify({ ...facts, promoted: false }))
    const refused = await merge(at("held"), "--out", at("from-held"))
    expect(refused.code).not.toBe(0)
    expect(refused.err).toContain("was not promoted to serving")
    expect(existsSync(at("from-held"))).toBe(false)
    expect(await merge(at("held"), "--force", "--out", at("from-held"))).toMatchObject({ code: 0, err: "" })
  })
  test("writes the true weighted sum, whatever scales and ranks the adapters have", async () => {
    for (const method of ["linear", "cat"]) {
      const { code, err } = await merge(
        at("plain"),
        at("patterned"),
        "--weights=0.7,-0.4",
        "--method",
        method,
        "--out",
        at("sum"),
      )
      expect([code, err]).toEqual([0, ""])
      const wanted = denseDeltas([
        { forms: await formsOf("plain"), weight: 0.7 },
        { forms: await formsOf("patterned"), weight: -0.4 },
      ])
      const found = denseDeltas([{ forms: await formsOf("sum"), weight: 1 }])
      expect(relativeError(found, wanted)).toBeLessThan(1e-6)
    }
  })
  test("of one adapter at weight 1 is that adapter", async () => {
    await merge(at("patterned"), "--weights", "1", "--out", at("same"))
    const same = denseDeltas([{ forms: await formsOf("same"), weight: 1 }])
    const own = denseDeltas([{ forms: await formsOf("patterned"), weight: 1 }])
    expect(relativeError(same, own)).toBeLessThan(1e-6)
  })
  test("says what it did, how near it came, and keeps it in espalier.json", async () => {
    const { out } = await merge(
      `one=${at("plain")}`,
      `two=${at("patterned")}`,
      "--method",
      "svd",
      "--rank",
      "3",
      "--layers",
      "--out",
      at("cut"),
    )
    expect(out).toContain("Merged by svd: one * 0.5 + two * 0.5")
    expect(out).toContain("Rank: 3 in 14 layers")
    expect(out).toMatch(/Relative error against the true weighted sum: \d+\.\d %/)
    expect(out).toMatch(/model\.layers\.1\.mlp\.up_proj {2}rank 3 {2}\d/)
    const facts = JSON.parse(readFileSync(join(at("cut"), "espalier.json"), "utf8"))
    const [one, two] = [await readAdapter(open, at("plain")), await readAdapter(open, at("patterned"))]
    expect(facts.base).toEqual({ name: "twig", hash: open.base.hash })
    expect(facts.merge).toMatchObject({ method: "svd", rank: 3 })
    expect(facts.merge.sources).toEqual([
      { name: "one", hash: one.hash, method: "lora", weight: 0.5 },
      { name: "two", hash: two.hash, method: "lora", weight: 0.5 },
    ])
    const wanted = denseDeltas([
      { forms: one.forms, weight: 0.5 },
      { forms: two.forms, weight: 0.5 },
    ])
    const error = relativeError(denseDeltas([{ forms: await formsOf("cut"), weight: 1 }]), wanted)
    expect(facts.merge.relative_error).toBeCloseTo(error, 6)
  })
  test("says the same to machines", async () => {
    const { out } = await merge(at("plain"), at("patterned"), "--method", "ties", "--out", at("ties"), "--json")
    const line = JSON.parse(out)
    expect(line).toMatchObject({ type: "merged", out: at("ties"), merge: { method: "ties" } })
    expect(line.report.layers).toHaveLength(14)
    expect(line.report.sources.map(({ name }: { name: string }) => name)).toEqual(["plain", "patterned"])
  })
  test("espalier inspect says what a merge was made of", async () => {
    await merge(`one=${at("plain")}`, `two=${at("patterned")}`, "--out", at("both"))
    const { out } = await runCli("inspect", at("both"), "--json")
    expect(JSON.parse(out)).toMatchObject({
      method: "merge",
      merge: { method: "linear", sources: [{ name: "one" }, { name: "two" }] },
    })
    expect((await runCli("inspect", at("both"))).out).not.toContain("undefined")
  })
  test("the result answers like any adapter", async () => {
    await merge(at("plain"), at("patterned"), "--out", at("both"))
    const answer = (adapter: string) =>
      runCli("generate", "What?", "--base", base, "--backend", "native", "--max-tokens", "4", "--adapter", at(adapter))
    expect((await answer("both")).code).toBe(0)
  })
  const wrong: readonly (readonly [string, () => readonly string[], number, RegExp])[] = [
    ["no adapter", () => ["--out", at("x")], 2, /no adapter to merge/],
    ["no place for the result", () => [at("plain")], 2, /--out/],
    ["an adapter that is not there", () => [at("plain"), at("nobody"), "--out", at("x")], 3, /nobody/],
    ["two adapters of one name", () => [at("plain"), at("plain"), "--out", at("x")], 2, /called "plain"[\s\S]*other=/],
    [
      "another number of weights",
      () => [at("plain"), at("patterned"), "--weights", "0.5", "--out", at("x")],
      2,
      /2 weights/,
    ],
    ["weights that are none", () => [at("plain"), "--weights", "much", "--out", at("x")], 2, /1 weights.*"much"/],
    ["an unknown method", () => [at("plain"), "--method", "sum", "--out", at("x")], 2, /one of linear, cat/],
  ]
  for (const [name, args, wanted, message] of wrong)
    test(`refuses ${name}`, async () => {
      const { code, err } = await merge(...args())
      expect(code).toBe(wanted)
      expect(err).toMatch(message)
    })
})
