/**
 * @module The floors of the house: a folder imports from lower floors only, and never from a neighbour on its own floor,
 * so that no cycle between folders is possible. docs/architecture.md draws the same table.
 */
import { describe, expect, test } from "bun:test"
import { codeFiles, importsOf, textOf } from "../support/source-tree.ts"

/** Folders and single files by floor, lowest first. */
const floors: readonly (readonly string[])[] = [
  ["src/core"],
  ["src/graph", "src/formats", "src/text", "src/linalg", "src/runtime"],
  ["src/models", "src/forms", "src/data", "src/store"],
  ["src/method.ts"],
  ["src/adapter-io.ts"],
  ["adapters", "src/merge"],
  ["src/train", "src/serve", "src/rag"],
  ["src/answering"],
  ["src/eval", "src/export", "src/jobs", "src/plan"],
  ["src/service"],
  ["routes"],
  ["src/presets"],
  ["src/entry", "src/index.ts"],
  ["src/cli"],
  ["scripts"],
]

interface Place {
  readonly floor: number
  readonly unit: string
}

const placeOf = (path: string): Place | null => {
  for (const [floor, units] of floors.entries()) {
    const unit = units.find((each) => path === each || path.startsWith(`${each}/`))
    if (unit !== undefined) return { floor, unit }
  }
  return null
}

const floorOf = (unit: string): number => floors.findIndex((units) => units.includes(unit))

const files = codeFiles().map((path) => ({ path, imports: importsOf(path, textOf(path)) }))

/** Imports of files below a floor that a rule forbids. */
const breaches = (isWrong: (from: string, target: string, specifier: string) => boolean): string[] =>
  files.flatMap(({ path, imports }) =>
    imports
      .filter(({ target, specifier }) => isWrong(path, target ?? "", specifier))
      .map(({ specifier }) => `${path} imports ${specifier}`),
  )

describe("floors", () => {
  test("every file stands on a floor", () => {
    expect(files.map(({ path }) => path).filter((path) => placeOf(path) === null)).toEqual([])
  })

  test("imports go down, and never to a neighbour on the same floor", () => {
    expect(
      breaches((from, target) => {
        const [above, below] = [placeOf(from), placeOf(target)]
        if (above === null || below === null) return false
        return above.unit !== below.unit && below.floor >= above.floor
      }),
    ).toEqual([])
  })

  test("relative imports end in .ts and stay inside the repository", () => {
    expect(
      breaches(
        (_from, target, specifier) =>
          target !== "" &&
          (!/\.(d\.)?ts$/.test(specifier) || (placeOf(target) === null && !target.startsWith("test/"))),
      ),
    ).toEqual([])
  })

  test("shipped code imports no test", () => {
    expect(breaches((_from, target) => target.startsWith("test/"))).toEqual([])
  })

  test("nothing below the presets names a method", () => {
    const roof = floorOf("src/presets")
    expect(
      breaches((from, target) => {
        const place = placeOf(from)!
        return target.startsWith("adapters/") && place.unit !== "adapters" && place.floor < roof
      }),
    ).toEqual([])
  })

  test("nothing below the roof knows a route, and only routes and entry points know Hono", () => {
    const roof = floorOf("src/entry")
    expect(
      breaches((from, target, specifier) => {
        const { unit, floor } = placeOf(from)!
        if (unit === "routes") return false
        return target.startsWith("routes/") ? floor < roof : /^hono\b/.test(specifier) && unit !== "src/entry"
      }),
    ).toEqual([])
  })

  test("only src/runtime imports an engine", () => {
    expect(
      breaches((from, _target, specifier) => specifier.startsWith("onnxruntime-") && !from.startsWith("src/runtime/")),
    ).toEqual([])
  })

  test("what computes touches no file, no socket and no process", () => {
    const pure = [
      "src/core",
      "src/graph",
      "src/formats",
      "src/text",
      "src/linalg",
      "src/models",
      "src/forms",
      "src/data",
    ]
    const free = [...pure, "src/method.ts", "src/adapter-io.ts", "adapters", "src/train", "src/serve", "routes"]
    expect(
      breaches((from, _target, specifier) => specifier.startsWith("node:") && free.includes(placeOf(from)!.unit)),
    ).toEqual([])
  })

  test("only entry points and scripts name a runtime's own global", () => {
    const named = files
      .map(({ path }) => path)
      .filter((path) => !path.startsWith("src/entry/") && !path.startsWith("scripts/"))
      .filter((path) => /\b(Bun|Deno)\.\w/.test(textOf(path).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")))
    expect(named).toEqual([])
  })
})

describe("importsOf()", () => {
  test("finds plain, type-only, mixed, re-exported and dynamic imports, and none in comments", () => {
    const text = [
      'import "./a.ts"',
      'import type { B } from "./b.ts"',
      'import { type C, type D } from "./c.ts"',
      'import {\n  type E,\n  f,\n} from "../f.ts"',
      'export { g } from "./g.ts"',
      'const h = await import("./h.ts")',
      '// import "./no.ts"',
      '/** import "./no.ts" */',
      'import * as v from "valibot"',
    ].join("\n")
    const found = importsOf("src/x/y.ts", text).map(({ target, specifier, typeOnly, dynamic }) =>
      [target ?? specifier, typeOnly ? "type" : "", dynamic ? "dynamic" : ""].join(" ").trim(),
    )
    expect(found).toEqual([
      "src/x/a.ts",
      "src/x/b.ts type",
      "src/x/c.ts type",
      "src/f.ts",
      "src/x/g.ts",
      "valibot",
      "src/x/h.ts  dynamic",
    ])
  })
})
