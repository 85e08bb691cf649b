/**
 * @module `espalier rag add` under `kill -9`, and collections side by side: a few of the many that `bun run torture` tries.
 */
import { expect, test } from "bun:test"
import { collectionsApart, killedAdds } from "../../../scripts/torture/documents.ts"

test("what was acknowledged before a kill is there, and nothing is half", async () => {
  const found = await killedAdds({ kills: 3, documents: 600, base: "models/sprig", seed: 2 })
  expect(found).toMatchObject({ kills: 3, lost: 0, half: 0 })
}, 60_000)

test("300 searches of two collections see their own", async () => {
  expect(await collectionsApart({ queries: 300, base: "models/sprig", seed: 2 })).toEqual({ queries: 300, crossed: 0 })
}, 30_000)
