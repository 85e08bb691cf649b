/**
 * @module No file needs itself in order to load: value imports form no cycle.
 */
import { expect, test } from "bun:test"
import { codeFiles, importsOf, textOf } from "../support/source-tree.ts"

/** One cycle of a graph, as its nodes in order, or null. */
function cycleIn(edges: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string): string[] | null => {
    if (done.has(node)) return null
    const at = path.indexOf(node)
    if (at >= 0) return [...path.slice(at), node]
    path.push(node)
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next)
      if (cycle) return cycle
    }
    path.pop()
    done.add(node)
    return null
  }
  for (const node of edges.keys()) {
    const cycle = visit(node)
    if (cycle) return cycle
  }
  return null
}

test("no file imports itself by way of others", () => {
  const edges = new Map(
    codeFiles().map((path) => [
      path,
      importsOf(path, textOf(path)).flatMap(({ target, typeOnly }) => (target && !typeOnly ? [target] : [])),
    ]),
  )
  expect(cycleIn(edges)).toBeNull()
})

test("a cycle would be found", () => {
  const edges = new Map([
    ["a", ["b"]],
    ["b", ["c", "d"]],
    ["c", []],
    ["d", ["b"]],
  ])
  expect(cycleIn(edges)).toEqual(["b", "d", "b"])
})
